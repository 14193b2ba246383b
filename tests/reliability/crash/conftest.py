"""A stage without a bot, and a road on which one may die."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playground.stage import Stage
from tests.support.crash_runner import living
from tests.support.crash_story import CrashStory


@pytest.fixture
def changes(stage: Stage) -> dict[str, str]:
    """Changes to the settings of the bot."""
    return {}


@pytest.fixture
async def story(
    stage: Stage, empty_databases: Path, changes: dict[str, str]
) -> AsyncIterator[CrashStory]:
    shutil.copytree(empty_databases, stage.folder, dirs_exist_ok=True)
    async with living(stage, **changes) as lives:
        yield CrashStory(stage, lives)
