"""A run that kills the bot whenever it is begun: after a few deaths it has failed, and can be tried
again, while everything else works.
"""

import pytest

from bot.worker.scheduler import MOST
from tests.support.crash_checks import holds
from tests.support.crash_process import Commit, Death, learnt
from tests.support.crash_story import CrashStory

BOTH = "SELECT count(*) FROM runs WHERE kind = 'register' AND carried_by > '' AND ended_at IS NULL"


@pytest.mark.slow
async def test_a_run_that_kills_the_bot_each_time_is_given_up(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    assert await crash_story.lives.stop() == 0
    poison = Death(when="before", at=learnt("application"))
    await crash_story.lives.begin(poison)
    await crash_story.click_approve()
    await crash_story.lives.until_dead()
    for _ in range(MOST - 1):
        await crash_story.lives.begin(poison)
        await crash_story.lives.until_dead()
    assert crash_story.lives.deaths == MOST

    await crash_story.lives.begin(poison)  # which would die once more
    await crash_story.until(lambda: crash_story.cards(f"{crash_story.id} failed"))
    assert "Something went wrong on our side" in crash_story.cards(f"{crash_story.id} failed")[-1]
    assert crash_story.lives.deaths == MOST
    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin()
    card = crash_story.workspace.messages("approvals")[-1]
    await crash_story.workspace.click("ada", "Retry", on=card)
    await crash_story.walk_on()
    await holds(crash_story)


@pytest.mark.slow
async def test_a_run_beside_it_is_carried_to_its_end(crash_story: CrashStory) -> None:
    """Both are at work when the bot dies for the first time, and are resumed each time."""
    await crash_story.lives.begin()
    innocent, killer = await crash_story.ask("payroll"), await crash_story.ask("billing")
    held = crash_story.tenant.faults.hold("PATCH", r"/applications\(uniqueName", times=2)
    for id in (innocent, killer):
        await crash_story.workspace.click("ada", "Approve", on=crash_story.card_of(id))
    await crash_story.until(lambda: crash_story.stored(BOTH) == 2)
    await crash_story.kill_at(held)

    run = crash_story.stored(
        "SELECT id FROM runs WHERE registration = ? AND ended_at IS NULL", killer
    )
    words = rf"UPDATE steps SET [^\n]*facts=[^\n]*'{run}', 'application'\)"
    poison = Death(when="before", at=Commit("facts of the killer", words))
    for _ in range(MOST - 1):
        await crash_story.lives.begin(poison)
        await crash_story.lives.until_dead()
    await crash_story.lives.begin(poison)
    await crash_story.until(lambda: crash_story.cards(f"{killer} failed"))
    await crash_story.until(lambda: crash_story.cards(f"{innocent} is ready"))
    assert crash_story.lives.deaths == MOST
    assert await crash_story.lives.stop() == 0
