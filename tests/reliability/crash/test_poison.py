"""A run that kills the bot whenever it is begun: after a few deaths it has failed, and can be tried
again, while everything else works.
"""

import asyncio
import multiprocessing

import pytest

from bot.playground.stage import Stage
from bot.worker.scheduler import MOST
from tests.support.crash_checks import holds
from tests.support.crash_process import Commit, Death, learnt
from tests.support.crash_runner import Lost, living
from tests.support.crash_story import CrashStory

BOTH = "SELECT count(*) FROM runs WHERE kind = 'register' AND carried_by > '' AND ended_at IS NULL"


@pytest.mark.slow
async def test_a_run_that_kills_the_bot_each_time_is_given_up(story: CrashStory) -> None:
    await story.ask_for_it()
    assert await story.lives.stop() == 0
    poison = Death(when="before", at=learnt("application"))
    await story.lives.begin(poison)
    await story.click_approve()
    await story.lives.until_dead()
    await _killed_again(story, poison)
    assert story.lives.deaths == MOST
    await story.until(lambda: story.cards(f"{story.id} failed"))
    assert "Something went wrong on our side" in story.cards(f"{story.id} failed")[-1]
    assert story.lives.deaths == MOST
    await story.lives.restart()
    card = story.workspace.messages("approvals")[-1]
    await story.workspace.click("ada", "Retry", on=card)
    await story.walk_on()
    await holds(story)


@pytest.mark.slow
async def test_a_run_beside_it_is_carried_to_its_end(story: CrashStory) -> None:
    """Both are at work when the bot dies for the first time, and are resumed each time."""
    await story.lives.begin()
    innocent, killer = await story.ask("payroll"), await story.ask("billing")
    held = story.tenant.faults.hold("PATCH", r"/applications\(uniqueName", times=2)
    for id in (innocent, killer):
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: story.stored(BOTH) == 2)
    await story.kill_at(held)

    run = story.stored("SELECT id FROM runs WHERE registration = ? AND ended_at IS NULL", killer)
    words = rf"UPDATE steps SET [^\n]*facts=[^\n]*'{run}', 'application'\)"
    poison = Death(when="before", at=Commit("facts of the killer", words))
    await _killed_again(story, poison)
    await story.until(lambda: story.cards(f"{killer} failed"))
    await story.until(lambda: story.cards(f"{innocent} is ready"))
    assert story.lives.deaths == MOST
    assert await story.lives.stop() == 0


async def _killed_again(story: CrashStory, poison: Death) -> None:
    """Let it die MOST times in all, and begin once more, where it would die again."""
    for _ in range(MOST - 1):
        await story.lives.begin(poison)
        await story.lives.until_dead()
    await story.lives.begin(poison)


AT_ONCE = 30.0


async def test_one_that_cannot_start_says_why(stage: Stage) -> None:
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(Lost, match="CannotStart"):
            async with living(stage, SLACK_BOT_TOKEN="xoxb-nobody-s") as lives:
                await lives.begin()


async def test_one_that_is_killed_by_somebody_else_is_waited_for_no_longer(stage: Stage) -> None:
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(Lost, match=r"ended with -9\."):
            await _killed_by_somebody_else(stage)


@pytest.mark.slow
async def test_one_that_does_as_it_is_told_is_not_lost(stage: Stage) -> None:
    async with living(stage) as lives:
        await lives.begin()
        await lives.kill()
        await lives.begin()
        assert await lives.stop() == 0
        lives.check()


async def _killed_by_somebody_else(stage: Stage) -> None:
    never = stage.tenant.faults.hold("POST", "/never")
    async with living(stage) as lives:
        await lives.begin()
        [child] = multiprocessing.active_children()
        child.kill()
        await CrashStory(stage, lives).reach(never)
