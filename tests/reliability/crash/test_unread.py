"""Killed while a secret that nobody picked up is removed: all are told when it is gone, once."""

import asyncio
from datetime import timedelta

import pytest

from bot.runs.base import SWEEPS
from tests.reliability.crash.test_every_commit import told
from tests.support.crash_process import Death
from tests.support.crash_story import LATER, Road

WEEK = timedelta(days=7, minutes=1)
REMOVED = told("unread secret removed")


@pytest.mark.parametrize(
    "death",
    [
        pytest.param(None, id="after the effect"),
        pytest.param(Death(when="before", at=REMOVED), marks=pytest.mark.slow, id="before"),
        pytest.param(Death(when="after", at=REMOVED), marks=pytest.mark.slow, id="after"),
    ],
)
async def test_a_kill_while_it_is_removed_tells_everybody_once(
    road: Road, death: Death | None
) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    await road.approve_it()
    for count, after in enumerate(SWEEPS, 1):  # one by one: a removal waits for a sweep
        assert await road.lives.stop() == 0
        await road.lives.begin(later=after + LATER)
        await _is_idle(road, sweeps=count)
    assert await road.lives.stop() == 0
    held = road.tenant.faults.hold("POST", "/removePassword") if death is None else None
    await road.lives.begin(death, later=WEEK)
    if held is not None:
        await road.kill_at(held)
        assert not _said(road, "rosa") + _said(road, "approvals")
    await road.until(lambda: road.lives.deaths == 1)
    await road.lives.begin(later=LATER)
    await road.until(lambda: _said(road, "rosa") and _said(road, "approvals"))
    assert not road.live_secrets()
    await _is_idle(road, sweeps=len(SWEEPS))
    assert await road.lives.stop() == 0
    await road.lives.begin(later=LATER)
    await road.workspace.command("rosa", "")  # it is at work again
    assert await road.lives.stop() == 0
    assert road.told("unread secret removed") == 1
    assert len(_said(road, "rosa")) == len(_said(road, "approvals")) == 1


async def _is_idle(road: Road, *, sweeps: int) -> None:
    """Wait until there were so many sweeps and no run is open."""
    for _ in range(100):
        is_open = road.stored("SELECT count(*) FROM runs WHERE ended_at IS NULL")
        if road.told("swept") == sweeps and not is_open:
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("A run is still open, or there was no sweep, for 10 s.")


def _said(road: Road, place: str) -> list[str]:
    texts = map(road.workspace.text_of, road.workspace.messages(place))
    return [text for text in texts if "was deleted from Entra" in text]
