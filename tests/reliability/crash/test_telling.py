"""Killed while it is told that a secret expires or is gone unread: all are told, and once."""

from datetime import timedelta
from typing import Literal

import pytest

from bot.domain.lifetimes import SWEEPS
from tests.support.crash_process import Death, told
from tests.support.crash_story import LATER, CrashStory, in_use

pytestmark = pytest.mark.slow

WEEK = timedelta(days=7, minutes=1)
REMOVED = told("unread secret removed")


@pytest.mark.parametrize(
    "death",
    [None, Death(when="before", at=REMOVED), Death(when="after", at=REMOVED)],
    ids=["after the effect", "before", "after"],
)
async def test_a_kill_while_it_is_removed_tells_everybody_once(
    story: CrashStory, death: Death | None
) -> None:
    await story.be_ready()
    for count, after in enumerate(SWEEPS, 1):  # one by one: a removal waits for a sweep
        await story.lives.restart(later=after + LATER)
        await _is_idle(story, sweeps=count)
    held = story.tenant.faults.hold("POST", "/removePassword") if death is None else None
    await story.lives.restart(death, later=WEEK)
    if held is not None:
        await story.kill_at(held)
        assert not _said(story, "rosa") + _said(story, "approvals")
    await story.until(lambda: story.lives.deaths == 1)
    await story.lives.begin(later=LATER)
    await story.until(lambda: _said(story, "rosa") and _said(story, "approvals"))
    assert not story.live_secrets()
    await _is_idle(story, sweeps=len(SWEEPS))
    await _lives_once_more(story)
    assert story.told("unread secret removed") == 1
    assert len(_said(story, "rosa")) == len(_said(story, "approvals")) == 1


async def _lives_once_more(story: CrashStory) -> None:
    await story.lives.restart(later=LATER)
    await story.workspace.command("rosa", "")  # it is at work again
    assert await story.lives.stop() == 0


async def _is_idle(story: CrashStory, *, sweeps: int) -> None:
    """Wait until there were so many sweeps and no run is open."""
    is_open = "SELECT count(*) FROM runs WHERE ended_at IS NULL"
    await story.until_written(lambda: story.told("swept") == sweeps and not story.stored(is_open))


def _said(story: CrashStory, place: str) -> list[str]:
    # Cards say it, too; only the notices name the application.
    return _texts(story, place, "the secret of billing wasn't picked up")


def _texts(story: CrashStory, place: str, words: str) -> list[str]:
    texts = map(story.workspace.text_of, story.workspace.messages(place))
    return [text for text in texts if words in text]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_while_it_is_told_tells_nobody_twice(
    story: CrashStory, when: Literal["before", "after"]
) -> None:
    await in_use(story)
    death = Death(when=when, at=told("secret expires"))
    await story.lives.begin(death, later=timedelta(days=359))
    await story.until(lambda: story.lives.deaths == 1)
    await story.lives.begin(later=LATER)
    await story.until(lambda: _reminders(story, "rosa") and _reminders(story, "approvals"))
    await _lives_once_more(story)
    assert story.told("secret expires") == 1
    assert len(_reminders(story, "rosa")) == len(_reminders(story, "approvals")) == 1


def _reminders(story: CrashStory, place: str) -> list[str]:
    return _texts(story, place, "secret of billing expires")
