"""A stage without a bot, and a road on which one may die."""

from collections.abc import AsyncIterator

import pytest

from bot.playground.stage import Stage
from tests.support.crash_runner import living
from tests.support.crash_story import CrashStory


@pytest.fixture
async def crash_story(stage: Stage) -> AsyncIterator[CrashStory]:
    async with living(stage) as lives:
        yield CrashStory(stage, lives)
