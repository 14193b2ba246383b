"""Each view is usable by everybody: wide and narrow, light and dark, with axe-core as the judge."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.browser.chromium import axe_script
from tests.browser.journey import ask, waiting_card
from tests.browser.window import DESKTOP, PHONE, Opens, Window

SERIOUS = ("serious", "critical")
RUN_AXE = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, impact, nodes }) => ({
    id, impact, nodes: nodes.map((node) => `${node.html} ${node.failureSummary}`),
  }));
}
"""
OVERFLOWING = """
() => [...document.querySelectorAll("html, body, main, [data-pane], [role=dialog]")]
  .filter((each) => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1)
  .map((each) => `${each.tagName} ${each.dataset.pane ?? ""} ${each.scrollWidth}`)
"""
COLUMNS = """
({ children }) => new Set([...children].map((each) => each.getBoundingClientRect().left)).size
"""
View = Callable[[Window], Awaitable[None]]


async def show(window: Window, view: str) -> None:
    await window.locator(f'[data-view="{view}"]').click()


async def messages(window: Window) -> None:
    await window.go("general")


async def home(window: Window) -> None:
    await window.go("app")
    await window.locator('[data-tab="home"]').click()
    await window.pane("workspace").locator('[data-action="open_form"]').first.wait_for()


async def form(window: Window) -> None:
    await window.go("general")
    await window.write("/aad-setup")
    await window.dialog().wait_for()


async def trouble(window: Window) -> None:
    await show(window, "trouble")


async def gallery(window: Window) -> None:
    await show(window, "gallery")
    await window.pane("gallery").locator(".blocks").first.wait_for()


async def tour(window: Window) -> None:
    await window.locator("#tour-button").click()
    await window.locator(".tour").wait_for()


async def tenant(window: Window) -> None:
    if window.page.viewport_size["width"] < DESKTOP["width"]:
        await show(window, "tenant")
    await window.pane("tenant").wait_for()


async def vendor(window: Window) -> None:
    if window.page.viewport_size["width"] < DESKTOP["width"]:
        await show(window, "vendor")
    await window.pane("vendor").wait_for()


VIEWS: dict[str, View] = {
    each.__name__: each for each in (messages, home, tenant, vendor, trouble, gallery, tour, form)
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["wide", "narrow"])
async def test_each_view_is_whole_and_accessible(
    opens: Opens, size: dict[str, int], scheme: str
) -> None:
    axe = axe_script()
    problems = {}
    async with opens("rosa", viewport=size, color_scheme=scheme) as rosa:
        await rosa.page.evaluate(axe)
        for name, view in VIEWS.items():
            await show(rosa, "workspace")
            await view(rosa)
            problems[name] = [*await overflowing(rosa), *await judged(rosa)]
    assert not any(problems.values()), {name: found for name, found in problems.items() if found}


@pytest.mark.parametrize(("width", "columns"), [(390, 1), (1000, 2), (1280, 2), (1920, 2)])
async def test_the_facts_of_a_card_stand_in_two_columns_where_there_is_room(
    opens: Opens, width: int, columns: int
) -> None:
    async with opens("rosa", viewport={"width": width, "height": 900}) as rosa:
        await ask(rosa)
        await rosa.become("ada")
        card, _ = await waiting_card(rosa)
        assert await card.locator(".fields").evaluate(COLUMNS) == columns


async def overflowing(window: Window) -> list[Any]:
    """Return what is wider than the place it has."""
    found: list[Any] = await window.page.evaluate(OVERFLOWING)
    return found


async def judged(window: Window) -> list[Any]:
    """Return the serious findings of axe-core."""
    found = await window.page.evaluate(RUN_AXE)
    return [each for each in found if each["impact"] in SERIOUS]
