"""Pages with and without a bot behind them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playground.page.bot_process import Status
from bot.playground.page.running import Page, on_stage, shown
from bot.playground.stage import Stage


@pytest.fixture
async def page(stage: Stage) -> AsyncIterator[Page]:
    """A page whose bot is not there, which spares a process."""
    async with on_stage(stage) as page:
        yield page


@pytest.fixture
async def running_page(tmp_path: Path) -> AsyncIterator[Page]:
    async with shown(folder=tmp_path, users=20, groups=3) as page:
        await page.bot.until(Status.RUNNING)
        yield page
