"""One browser for each module of tests, and a playground for each test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.playground.page.bot_process import Status
from bot.playground.page.running import Page, shown
from tests.browser.chromium import chromium
from tests.browser.window import Opens, Window, window

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests here share their module's event loop, with its browser, and be slow."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
            item.add_marker(pytest.mark.slow)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def playground(tmp_path: Path) -> AsyncIterator[Page]:
    """The page, with a small tenant and a bot that people can use."""
    async with shown(folder=tmp_path, users=50, groups=5) as page:
        await page.bot.until(Status.RUNNING)
        yield page


@pytest.fixture
def opens(browser: Any, playground: Page) -> Opens:
    """Open a window as a person, who has seen the tour already."""

    def as_person(person: str, **options: Any) -> AbstractAsyncContextManager[Window]:
        return window(browser, f"{playground.url}#as={person}", **options)

    return as_person


@pytest_asyncio.fixture(loop_scope="module")
async def rosa(opens: Opens) -> AsyncIterator[Window]:
    async with opens("rosa") as window:
        yield window
