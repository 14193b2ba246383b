"""Killed while it is told that a secret expires: whoever has to know is told, and once."""

from datetime import timedelta
from typing import Literal

import pytest

from tests.reliability.crash.test_every_commit import told
from tests.reliability.crash.test_rotating import in_use
from tests.support.crash_process import Death
from tests.support.crash_story import LATER, Road


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.slow), "after"])
async def test_a_kill_while_it_is_told_tells_nobody_twice(
    road: Road, when: Literal["before", "after"]
) -> None:
    await in_use(road)
    death = Death(when=when, at=told("secret expires"))
    await road.lives.begin(death, later=timedelta(days=359))
    await road.until(lambda: road.lives.deaths == 1)
    await road.lives.begin(later=LATER)
    await road.until(lambda: _reminders(road, "rosa") and _reminders(road, "approvals"))
    assert await road.lives.stop() == 0
    await road.lives.begin(later=LATER)
    await road.workspace.command("rosa", "")  # it is at work again
    assert await road.lives.stop() == 0
    assert road.told("secret expires") == 1
    assert len(_reminders(road, "rosa")) == len(_reminders(road, "approvals")) == 1


def _reminders(road: Road, place: str) -> list[str]:
    texts = map(road.workspace.text_of, road.workspace.messages(place))
    return [text for text in texts if "secret of billing expires" in text]
