"""A browser's window in which one person looks at the page, and what went wrong in it.

What is there is found by the hooks that the page promises (`data-person`, `data-pane`, `data-ts`,
`data-action`, `data-channel`) and by the roles and names that a screen reader finds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

PATIENCE_MS = 30_000
"""After which what does not appear never will, on a machine that stalls."""

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Window:
    """One person's window. `faults` are what must never happen in it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.faults: list[str] = []
        self.refusals_expected = False
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        # Chromium itself notes each answer of 400 and above; the page shows it as a sentence.
        refused = self.refusals_expected and "Failed to load resource" in message.text
        if message.type in ("error", "warning") and not refused:
            self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            self.faults.append(f"asked elsewhere: {request.url}")


@asynccontextmanager
async def window(browser: Any, address: str, **options: Any) -> AsyncIterator[Window]:
    """Open an address in a window with cookies and storage of its own; nothing may go wrong."""
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
    try:
        opened = Window(await context.new_page(), address)
        await opened.page.goto(address)
        yield opened
        assert not opened.faults, opened.faults
    finally:
        await context.close()
