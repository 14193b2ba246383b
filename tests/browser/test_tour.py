"""The guided tour: eight steps that do the real clicks, to be left at any time."""

import re

from bot.playground.page.running import Page
from tests.browser.window import PHONE, Opens, Window

NEVER_SEEN = "0"
STEPS = 8
NEXT, LEAVE = '[data-tour="next"]', '[data-tour="leave"]'


async def stands_at(window: Window, step: int) -> None:
    """Wait until this step's caption is there and the button can be pressed."""
    await window.locator(f'.tour[data-step="{step}"]').wait_for()
    await window.locator(f"{NEXT}:not([aria-disabled])").wait_for()


async def walk(visitor: Window, *, by_pointer: bool = False) -> None:
    """Go through all steps, with the keyboard alone or with the pointer alone."""
    button = visitor.locator(NEXT)
    for step in range(1, STEPS + 1):
        await stands_at(visitor, step)
        await (button.click() if by_pointer else button.press("Enter"))
    await stands_at(visitor, STEPS + 1)


async def test_a_first_visit_is_walked_through_the_story(playground: Page, opens: Opens) -> None:
    async with opens("rosa", script=NEVER_SEEN) as visitor:
        await walk(visitor)
        tenant = playground.stage.tenant
        assert len(tenant.live_secrets(tenant.applications[0]["appId"])) == 1
        assert await visitor.locator('[data-person="ben"]').get_attribute("aria-pressed") == "true"
        assert re.search(r"AAD-\w+ is ready", await visitor.text())
        await visitor.locator(NEXT).click()
        await visitor.locator(".tour").wait_for(state="detached")


async def test_it_works_on_a_phone(opens: Opens) -> None:
    async with opens("rosa", script=NEVER_SEEN, viewport=PHONE) as visitor:
        await walk(visitor, by_pointer=True)


async def test_it_is_left_by_escape_and_begun_again_from_the_header(opens: Opens) -> None:
    async with opens("rosa", script=NEVER_SEEN) as visitor:
        await stands_at(visitor, 1)
        await visitor.locator(NEXT).click()
        await stands_at(visitor, 2)
        await visitor.page.keyboard.press("Escape")
        await visitor.locator(".tour").wait_for(state="detached")
        assert await visitor.dialog().count() == 1  # the form, which stays
        await visitor.page.reload()
        await visitor.locator("#tour-button").click()
        await stands_at(visitor, 1)
        assert await visitor.page.evaluate("document.activeElement.dataset.tour") == "next"
        await visitor.locator(LEAVE).click()
        assert await visitor.page.evaluate("document.activeElement.id") == "tour-button"
        assert await visitor.locator('[aria-live="polite"] .tour-title').count() == 0


async def test_it_is_not_shown_to_those_who_have_seen_it(opens: Opens) -> None:
    async with opens("rosa") as visitor:
        await visitor.locator("#tour-button").wait_for()
        assert await visitor.locator(".tour").count() == 0
