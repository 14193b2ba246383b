"""A victim that ends by itself fails its story at once, with what it said last."""

import asyncio
import multiprocessing

import pytest

from bot.playground.stage import Stage
from tests.support.crash_runner import Lost, living
from tests.support.crash_story import CrashStory

AT_ONCE = 10.0


async def test_one_that_cannot_start_says_why(stage: Stage) -> None:
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(Lost, match="CannotStart"):
            async with living(stage, SLACK_BOT_TOKEN="xoxb-nobody-s") as lives:
                await lives.begin()


async def test_one_that_is_killed_by_somebody_else_is_waited_for_no_longer(stage: Stage) -> None:
    async with asyncio.timeout(AT_ONCE):
        with pytest.raises(Lost, match=r"ended with -9\."):
            await _killed_by_somebody_else(stage)


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
