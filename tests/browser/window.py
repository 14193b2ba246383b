"""A browser's window in which one person looks at the page, and what went wrong in it.

What is there is found by the hooks that the page promises (`data-person`, `data-pane`, `data-ts`,
`data-action`, `data-block`, `data-channel`) and by the roles and names that a screen reader finds.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE_MS = 30_000
"""After which what does not appear never will, on a machine that stalls."""
TOUR_SEEN = "localStorage.setItem('tour-seen', 'yes')"

PICTURES = "FAILURES"
"""The environment variable that names a folder for pictures of windows in which a test failed."""

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Window:
    """One person's window. `faults` are what must never happen in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.faults: list[str] = []
        self.refusals_expected = False
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)

    def locator(self, selector: str, **options: Any) -> Any:
        return self.page.locator(selector, **options)

    def pane(self, name: str) -> Any:
        return self.locator(f'[data-pane="{name}"]')

    def message(self, words: str) -> Any:
        """Return the newest message of the open conversation in which these words stand."""
        return self.pane("workspace").locator("[data-ts]").filter(has_text=words).last

    def dialog(self) -> Any:
        return self.locator("[role=dialog]")

    async def sees(self, words: str, *, where: Any = None) -> Any:
        """Wait for words, in the conversation or elsewhere, and return where they stand."""
        found = self.message(words) if where is None else where.filter(has_text=words)
        await found.wait_for()
        return found

    async def become(self, person: str) -> None:
        await self.locator(f'[data-person="{person}"]').click()
        await self.locator(f'[data-person="{person}"][aria-pressed="true"]').wait_for()

    async def go(self, channel: str) -> None:
        await self.locator(f'[data-channel="{channel}"]').click()
        await self.locator(f'[data-channel="{channel}"][aria-current="page"]').wait_for()

    async def write(self, text: str) -> None:
        field = self.locator("[data-composer]")
        await field.fill(text)
        await field.press("Enter")

    async def press(self, action: str, *, on: Any = None) -> None:
        """Press the newest button of this action, and confirm if that is asked for."""
        place = self.pane("workspace") if on is None else on
        await place.locator(f'[data-action="{action}"]').last.click()
        confirm = self.locator('dialog [data-confirm="yes"]')
        if await confirm.count():  # asked for within the click
            await confirm.click()

    async def text(self) -> str:
        """Return all that a person can read in this window."""
        words: str = await self.page.inner_text("body")
        return words

    def _said(self, message: Any) -> None:
        # Chromium itself notes each answer of 400 and above; the page shows it as a sentence.
        refused = self.refusals_expected and "Failed to load resource" in message.text
        if message.type in ("error", "warning") and not refused:
            self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            self.faults.append(f"asked elsewhere: {request.url}")


Opens = Callable[..., AbstractAsyncContextManager[Window]]


@asynccontextmanager
async def window(
    browser: Any, address: str, *, script: str = TOUR_SEEN, **options: Any
) -> AsyncIterator[Window]:
    """Open an address in a window with cookies and storage of its own; nothing may go wrong.

    The script runs before those of each page.
    """
    context = await browser.new_context(
        **{
            "viewport": DESKTOP,
            "locale": "en-GB",
            "timezone_id": "Europe/London",
            "reduced_motion": "reduce",
            **options,
        }
    )
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(script)
    try:
        opened = Window(await context.new_page())
        await opened.page.goto(address)
        yield opened
        assert not opened.faults, opened.faults
    except BaseException:  # whatever it was, it goes on below, with a picture of the page
        await _keep_picture(context.pages[-1])
        raise
    finally:
        await context.close()


async def _keep_picture(page: Any) -> None:
    folder = os.environ.get(PICTURES)
    if folder:
        await page.screenshot(path=Path(folder) / f"{id(page)}.png")
