"""What is pressed stays where it is until it is released, whatever else changes meanwhile."""

from typing import Any

import pytest
import pytest_asyncio

from bot.playground.page.running import Page
from tests.browser.window import Window

DRAWN = """
async () => {
  const { h, patch } = await import("./dom.js");
  const parent = h("div", { id: "drawn" });
  document.body.replaceChildren(parent);
  window.clicks = [];
  const draw = (value, key) =>
    h("button", { id: key, hidden: !value, onclick: () => window.clicks.push(value) }, value);
  window.shows = (...items) => patch(parent, items, draw);
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def page(playground: Page, rosa: Window) -> Any:
    """A page that shows buttons, and keeps the texts of those that were clicked."""
    rosa.refusals_expected = True  # there is no icon
    await rosa.page.goto(f"{playground.url}static/dom.js")
    await rosa.page.evaluate(DRAWN)
    return rosa.page


async def shows(page: Any, **items: str) -> None:
    await page.evaluate("items => window.shows(...items)", [list(each) for each in items.items()])


async def press(page: Any, how: str) -> None:
    if how == "mouse":
        await page.locator("#b").hover()
        await page.mouse.down()
    else:
        await page.locator("#b").focus()
        await page.keyboard.down("Space")


async def release(page: Any, how: str) -> None:
    await (page.mouse.up() if how == "mouse" else page.keyboard.up("Space"))


@pytest.mark.parametrize("how", ["mouse", "Space"])
async def test_it_gets_its_click_and_is_drawn_anew_after_it(page: Any, how: str) -> None:
    await shows(page, a="", b="B", c="C")  # what vanishes before it takes no room
    await press(page, how)
    await shows(page, b="changed", c="also changed")
    assert await page.locator("#drawn").inner_text() == "Balso changed"
    await release(page, how)
    await page.get_by_text("changed", exact=True).wait_for()
    assert await page.evaluate("window.clicks") == ["B"]


async def test_a_menu_that_takes_the_release_delays_nothing(page: Any) -> None:
    await shows(page, b="B")
    await press(page, "mouse")
    await shows(page, b="changed")
    await page.evaluate("document.dispatchEvent(new PointerEvent('pointermove', {buttons: 0}))")
    await page.get_by_text("changed", exact=True).wait_for()
    await page.mouse.up()
    await page.locator("#b").click(button="right")
    await shows(page, b="changed again")
    assert await page.locator("#b").inner_text() == "changed again"
