"""The story that the pictures show, played on the page by clicks, with a picture at each scene."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.playground.clock import MovableClock
from bot.playground.page.bot_process import Status
from bot.playground.page.running import Page, shown
from tests.browser.journey import consent, fill, send, trouble, waiting_card
from tests.browser.window import PATIENCE_MS, Window, window
from tests.pictures.still import be_still

MORNING = datetime(2027, 3, 1, 8, 41, tzinfo=UTC)
NAME = "Mimecast directory sync"
REASON = "Mail security needs our users and groups, ticket OPS-1907"
SCHEMES = ("light", "dark")
SIZE = {"width": 1280, "height": 980}
"""High enough for the longest message."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was seen: pixels for each scheme of colours, text and structure for both."""

    name: str
    pixels: dict[str, bytes]
    structure: str


Take = Callable[[str, Any], Awaitable[None]]


async def pictures(browser: Any, folder: Path) -> tuple[list[Picture], list[bytes]]:
    """Play the story; return its pictures, and the frames of the film."""
    taken: list[Picture] = []
    frames: list[bytes] = []
    async with opened(browser, folder) as (page, person):

        async def take(name: str, seen: Any) -> None:
            await be_still(person.page)
            pixels = {}
            for scheme in SCHEMES:
                await person.page.emulate_media(color_scheme=scheme)
                pixels[scheme] = await seen.screenshot(animations="disabled", caret="hide")
            await person.page.emulate_media(color_scheme="light")
            structure = await seen.aria_snapshot()
            taken.append(Picture(name=name, pixels=pixels, structure=structure))

        async def frame() -> None:
            await be_still(person.page)
            frames.append(await person.page.screenshot(animations="disabled", caret="hide"))

        await _asked(person, take, frame)
        await _approved(page, person, take, frame)
        await _handed_over(person, take, frame)
    return taken, frames


@asynccontextmanager
async def opened(browser: Any, folder: Path) -> AsyncIterator[tuple[Page, Window]]:
    """Open the page, always on the same morning."""
    clock = MovableClock(offset=MORNING - datetime.now(UTC))
    async with shown(folder=folder, clock=clock) as page:
        await page.bot.until(Status.RUNNING)
        address = f"{page.url}#as=rosa"
        async with window(browser, address, color_scheme="light", viewport=SIZE) as person:
            yield page, person


Frame = Callable[[], Awaitable[None]]


async def _asked(person: Window, take: Take, frame: Frame) -> None:
    await person.go("general")
    await person.locator("[data-composer]").fill("/aad-setup")
    await frame()
    await person.locator("[data-composer]").press("Enter")
    await person.dialog().wait_for()
    await fill(person, name=NAME, reason=REASON)
    await take("form", person.dialog())
    await frame()
    await send(person)


async def _approved(page: Page, person: Window, take: Take, frame: Frame) -> None:
    hold = page.stage.tenant.faults.hold("PATCH", "servicePrincipals", when="before_effect")
    await person.become("ada")
    await waiting_card(person)
    await person.go("app")
    await person.locator('[data-tab="home"]').click()
    await person.pane("workspace").locator('[data-action="approve"]').wait_for()
    await take("home", person.pane("workspace"))
    card, _ = await waiting_card(person)
    await take("approval", card)
    await frame()
    await person.press("approve", on=card)
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await hold.reached.wait()
    await card.locator("[data-status=complete]").wait_for()
    await take("progress", card)
    await frame()
    hold.release()
    await person.sees("needs admin consent")
    await person.press("open-application", on=person.pane("tenant"))
    await frame()
    await person.press("all-applications", on=person.pane("tenant"))
    await consent(person)
    await card.filter(has_text="ready").wait_for()
    await take("ready", card)
    await frame()
    await take("tenant", person.pane("tenant"))


async def _handed_over(person: Window, take: Take, frame: Frame) -> None:
    await person.become("rosa")
    await person.go("app")
    await person.press("values")
    sheet = await person.sees("Only visible to you")
    await take("masked", sheet)
    await frame()
    await person.press("reveal", on=sheet)
    await person.pane("workspace").locator('[data-action="hide"]').wait_for()
    sheet = await person.sees("Only visible to you")
    await take("revealed", sheet)
    await frame()
    for action in ("vendor-fill", "vendor-save", "vendor-sync"):
        await person.press(action, on=person.pane("vendor"))
    await person.pane("vendor").locator('[data-ok="true"]').wait_for()
    await person.pane("vendor").evaluate("pane => { pane.scrollTop = 0; }")
    await take("page", person.locator("body"))
    await frame()
    await trouble(person, "skip-minutes")
    await person.sees("masked for good")
    await frame()
