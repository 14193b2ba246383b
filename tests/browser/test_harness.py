"""The windows of these tests see what goes wrong in a page."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.browser.window import window


def serving(script: str) -> TestServer:
    """Serve a page with this script on a free loopback port."""

    async def answer(_: web.Request) -> web.Response:
        html = f"<!doctype html><link rel=icon href=data:,><p>Seen</p><script>{script}</script>"
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    return TestServer(app, host="127.0.0.1")


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('broken')", "error: broken"),
        ("setTimeout(() => { throw new Error('thrown') })", "error: thrown"),
        ("new Image().src = 'http://example.com/a'", "asked elsewhere: http://example.com/a"),
        ("fetch('./missing')", "Failed to load resource"),
    ],
)
async def test_what_goes_wrong_is_seen(browser: Any, script: str, fault: str) -> None:
    async with serving(script) as server:
        with pytest.raises(AssertionError, match=fault):
            async with window(browser, str(server.make_url("/"))) as seen:
                await seen.page.wait_for_load_state("networkidle")


async def test_a_good_page_has_no_faults(browser: Any) -> None:
    async with (
        serving("document.title = 'Good'") as server,
        window(browser, str(server.make_url("/"))) as seen,
    ):
        assert await seen.page.title() == "Good"
