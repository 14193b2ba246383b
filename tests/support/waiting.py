"""Waiting for what happens only when time has passed on the stage's clock."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.support.story import Story

LOOKS = 30
"""How often the bot gets time for what is due now, before the clock is moved on: it is the same
loop that looks, so that a machine that stalls delays both."""
QUIET_LOOKS = 15
"""So many looks without any call in between mean that nothing is due: the bot itself looks every
tenth of a second."""
LOOK_SECONDS = 0.01
"""Real time between two looks: a change in storage or in the tenant wakes nobody."""


async def eventually(
    story: Story, predicate: Callable[[], object], *, step: timedelta = timedelta(minutes=2)
) -> None:
    """Let time pass, step by step, until it comes true: retries and dues come back by the clock."""
    for _ in range(40):
        if await _soon(story, predicate):
            return
        story.clock.move(step)
    await story.until(predicate, timeout=LOOKS * LOOK_SECONDS)


async def _soon(story: Story, predicate: Callable[[], object]) -> bool:
    """Return whether it comes true while the clock stands and the bot is at work."""
    calls, quiet = 0, 0
    for _ in range(LOOKS):
        if predicate():
            return True
        before, calls = calls, len(story.tenant.log) + len(story.workspace.log)
        quiet = quiet + 1 if calls == before else 0
        if quiet == QUIET_LOOKS:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def make_a_new_one(story: Story, id: str, *, by: str = "rosa") -> None:
    """Press *Make a new one*, and again if a sweep is just at work, as the refusal says."""
    refused = f"{id} is being worked on. Try again in a moment."
    for _ in range(20):
        story.workspace.reload(by)
        await story.until(lambda: _offers(story, id, by))
        await story.workspace.click(by, "Make a new one", on=_offers(story, id, by)[-1])
        if story.whispers(by) != refused:
            return
    raise AssertionError(story.whispers(by))


def _offers(story: Story, id: str, to: str) -> list[dict[str, Any]]:
    """Return the messages of this registration that have the button."""
    text_of = story.workspace.text_of
    found = [each for each in story.workspace.messages(to) if each["text"].startswith(id)]
    return [each for each in found if "[Make a new one]" in text_of(each)]
