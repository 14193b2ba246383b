"""A page with a bot behind it, and windows of people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playground.page.bot_process import Status
from bot.playground.page.running import Page, shown


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page that can be opened; its bot may still be starting."""
    async with shown(folder=tmp_path, users=20, groups=3) as page:
        yield page


@pytest.fixture
async def running_page(page: Page) -> Page:
    await page.bot.until(Status.RUNNING)
    return page
