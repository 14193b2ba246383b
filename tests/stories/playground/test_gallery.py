"""The gallery as the page reads it."""

from bot.playground.gallery.items import gallery
from bot.playground.page.running import Page
from tests.support.page_window import window


async def test_the_page_gets_every_card(page: Page) -> None:
    async with window(page.url, "rosa") as rosa:
        answer = await rosa.ask("gallery", method="GET")
    assert answer.status == 200
    assert answer.body == gallery()
