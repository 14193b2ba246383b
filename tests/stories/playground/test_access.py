"""The page is for this machine, for those who know its address, and for itself."""

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from bot.playground.page.access import POLICY
from bot.playground.page.running import Page, on_stage
from tests.support.page_window import Window, window


@pytest.fixture
async def rosa(page: Page) -> AsyncIterator[Window]:
    async with window(page.url, "rosa") as rosa:
        yield rosa


@pytest.mark.parametrize("token", ["", "x", "ü", "{token}x", "{token[0]}"])
async def test_without_the_token_there_is_nothing(rosa: Window, token: str) -> None:
    parts = urlsplit(rosa.url)
    wrong = token.format(token=parts.path.strip("/"))
    rosa.url = f"{parts.scheme}://{parts.netloc}/{wrong}/"
    for path in ("", "static/app.js", "events?as=rosa", "gallery"):
        answer = await rosa.ask(path, method="GET")
        assert (answer.status, answer.error) == (404, "Use the address that the demo printed.")


async def test_each_page_has_a_token_of_its_own(page: Page) -> None:
    async with on_stage(page.stage) as other:
        tokens = {urlsplit(each.url).path for each in (page, other)}
    assert len(tokens) == 2
    assert min(map(len, tokens)) > 20


@pytest.mark.parametrize(
    "host",
    ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost", "127.0.0.1.evil:{port}"],
)
async def test_other_hosts_are_refused(rosa: Window, host: str) -> None:
    named = host.format(port=urlsplit(rosa.url).port)
    answer = await rosa.ask("gallery", method="GET", Host=named)
    assert (answer.status, answer.error) == (403, "Open the page at a loopback address.")


@pytest.mark.slow
async def test_localhost_is_this_machine_too(rosa: Window) -> None:
    host = f"localhost:{urlsplit(rosa.url).port}"
    ours = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
    assert (await rosa.ask("gallery", method="GET", **ours)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_pages_of_others_are_refused(rosa: Window, headers: dict[str, str]) -> None:
    for method, path in (("GET", "events?as=rosa"), ("POST", "bot/kill")):
        answer = await rosa.ask(path, method=method, **headers)
        assert (answer.status, answer.error) == (403, "Other pages may not use this one.")


async def test_bodies_are_small_json_objects(rosa: Window) -> None:
    url = f"{rosa.url}workspace/command"
    async with rosa.session.post(url, data={"person": "rosa"}) as answer:
        assert answer.status == 415
    deep, large = "[" * 60_000, f'"{"x" * 70_000}"'
    bodies = (("[]", 400), ("{", 400), ("\x00", 400), (deep, 400), (large, 413))
    for body, status in bodies:
        headers = {"Content-Type": "application/json"}
        async with rosa.session.post(url, data=body, headers=headers) as answer:
            assert (answer.status, list(await answer.json())) == (status, ["error"])


async def test_a_request_for_no_address_is_refused_like_others(rosa: Window) -> None:
    at = urlsplit(rosa.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"OPTIONS * HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
    assert b" 404 " in await reader.readline()
    writer.close()


async def test_every_answer_says_what_a_browser_may_do_with_it(rosa: Window) -> None:
    for path in ("", "nothing", "events?as=rosa", "../x"):
        async with rosa.session.get(rosa.url + path) as answer:
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in POLICY


async def test_files_come_from_one_folder(rosa: Window) -> None:
    for path in ("../running.py", "%2e%2e/running.py", "..%2frunning.py", "/etc/passwd", "a//b"):
        answer = await rosa.ask(f"static/{path}", method="GET")
        assert answer.status == 404, path


async def test_only_loopback_is_listened_to(rosa: Window, page: Page) -> None:
    port = urlsplit(page.url).port
    others = {it[4][0] for it in socket.getaddrinfo(socket.gethostname(), port)} - {"127.0.0.1"}
    for address in ("127.0.0.2", *sorted(map(str, others))):
        with pytest.raises(OSError, match=r"refused|unreachable"):
            socket.create_connection((address, port), timeout=1)
