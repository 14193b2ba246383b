"""Killed while a secret that nobody picked up is removed: all are told when it is gone, once."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.lifetimes import SWEEPS
from tests.support.crash_process import Death, told
from tests.support.crash_story import LATER, CrashStory

WEEK = timedelta(days=7, minutes=1)
REMOVED = told("unread secret removed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "death",
    [
        pytest.param(None, id="after the effect"),
        pytest.param(Death(when="before", at=REMOVED), id="before"),
        pytest.param(Death(when="after", at=REMOVED), id="after"),
    ],
)
async def test_a_kill_while_it_is_removed_tells_everybody_once(
    crash_story: CrashStory, death: Death | None
) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await crash_story.approve_it()
    for count, after in enumerate(SWEEPS, 1):  # one by one: a removal waits for a sweep
        assert await crash_story.lives.stop() == 0
        await crash_story.lives.begin(later=after + LATER)
        await _is_idle(crash_story, sweeps=count)
    assert await crash_story.lives.stop() == 0
    held = crash_story.tenant.faults.hold("POST", "/removePassword") if death is None else None
    await crash_story.lives.begin(death, later=WEEK)
    if held is not None:
        await crash_story.kill_at(held)
        assert not _said(crash_story, "rosa") + _said(crash_story, "approvals")
    await crash_story.until(lambda: crash_story.lives.deaths == 1)
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(lambda: _said(crash_story, "rosa") and _said(crash_story, "approvals"))
    assert not crash_story.live_secrets()
    await _is_idle(crash_story, sweeps=len(SWEEPS))
    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin(later=LATER)
    await crash_story.workspace.command("rosa", "")  # it is at work again
    assert await crash_story.lives.stop() == 0
    assert crash_story.told("unread secret removed") == 1
    assert len(_said(crash_story, "rosa")) == len(_said(crash_story, "approvals")) == 1


async def _is_idle(crash_story: CrashStory, *, sweeps: int) -> None:
    """Wait until there were so many sweeps and no run is open."""
    for _ in range(100):
        is_open = crash_story.stored("SELECT count(*) FROM runs WHERE ended_at IS NULL")
        if crash_story.told("swept") == sweeps and not is_open:
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("A run is still open, or there was no sweep, for 10 s.")


def _said(crash_story: CrashStory, place: str) -> list[str]:
    texts = map(crash_story.workspace.text_of, crash_story.workspace.messages(place))
    # Cards say it, too; only the notice names the application.
    return [text for text in texts if "the secret of billing wasn't picked up" in text]
