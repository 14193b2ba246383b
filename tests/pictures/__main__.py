"""Make the pictures of the documents from the page: `python -m tests.pictures`."""

import asyncio
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.pictures.files import made_with, save
from tests.pictures.story import pictures


async def make() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with chromium() as browser:
            taken, frames = await pictures(browser, Path(folder))
            save(taken, frames, made_with(browser))


if __name__ == "__main__":
    asyncio.run(make())
