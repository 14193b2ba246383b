"""The system's Chromium, steered by Playwright, and what it needs: there, or a loud skip."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.judges.presence import do_without

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # The same glyphs at the same places on each machine that has the same fonts.
    *("--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb"),
    # No name is looked up: what a page asks for elsewhere fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
AXE = Path("node_modules", "axe-core", "axe.min.js")


def executable() -> str:
    """Return the path of the browser; without one, or without Playwright, skip."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        do_without(f"No {' or '.join(NAMES)} in PATH, so no page was looked at")
    return found


def axe_script() -> str:
    """Return the source of axe-core, which judges whether everybody can use a page."""
    path = Path(os.environ.get("AXE_CORE", "nowhere")) / AXE
    if not path.is_file():
        do_without(
            "axe-core is not there, so it has judged nothing: run `npm install axe-core@4` in a"
            " folder and name it in AXE_CORE"
        )
    return path.read_text("utf-8")


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Run a browser: Playwright's `Browser`."""
    path = executable()
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        do_without(
            "Playwright is not installed, so no page was looked at:"
            " .venv/bin/pip install -e '.[test,browser]'"
        )
    # Chromium's sandbox refuses to work for root, as in a container.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=[*ARGUMENTS, *sandbox]
        )
        try:
            yield browser
        finally:
            await browser.close()
