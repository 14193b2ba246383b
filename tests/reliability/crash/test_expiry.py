"""Killed while it is told that a secret expires: whoever has to know is told, and once."""

from datetime import timedelta
from typing import Literal

import pytest

from tests.support.crash_process import Death, told
from tests.support.crash_story import LATER, CrashStory, in_use


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_while_it_is_told_tells_nobody_twice(
    crash_story: CrashStory, when: Literal["before", "after"]
) -> None:
    await in_use(crash_story)
    death = Death(when=when, at=told("secret expires"))
    await crash_story.lives.begin(death, later=timedelta(days=359))
    await crash_story.until(lambda: crash_story.lives.deaths == 1)
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(
        lambda: _reminders(crash_story, "rosa") and _reminders(crash_story, "approvals")
    )
    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin(later=LATER)
    await crash_story.workspace.command("rosa", "")  # it is at work again
    assert await crash_story.lives.stop() == 0
    assert crash_story.told("secret expires") == 1
    assert len(_reminders(crash_story, "rosa")) == len(_reminders(crash_story, "approvals")) == 1


def _reminders(crash_story: CrashStory, place: str) -> list[str]:
    texts = map(crash_story.workspace.text_of, crash_story.workspace.messages(place))
    return [text for text in texts if "secret of billing expires" in text]
