"""Where a click is answered: at Slack, never at whatever else this machine serves."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.start import slack_session
from handlers.answers import Answers

SLACK = "https://slack.com/api/"
UNHEARD = "http://127.0.0.1:1/answered"
"""Where nobody listens: what is posted there arrives only by a proxy."""


@pytest.fixture
async def heard() -> AsyncIterator[tuple[str, list[str]]]:
    """A server on this machine that sends every caller on, and the paths it was asked for."""
    asked: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/further"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook")), asked


async def test_nothing_on_this_machine_is_called_for_slack_itself(
    heard: tuple[str, list[str]],
) -> None:
    url, asked = heard
    async with aiohttp.ClientSession() as session:
        answers = Answers(session, api_url=SLACK)
        for forged in (url, url.replace("127.0.0.1", "localhost"), "https://evil.example/"):
            assert not await answers.add(forged, text="hello")
            assert not await answers.replace(forged, text="hello", blocks=[])
    assert asked == []


async def test_a_workspace_on_this_machine_is_answered_and_sends_nobody_on(
    heard: tuple[str, list[str]],
) -> None:
    url, asked = heard
    async with aiohttp.ClientSession() as session:
        assert not await Answers(session, api_url=url).add(url, text="hello")
    assert asked == ["/hook"]


async def test_answers_go_through_the_proxy_that_slack_s_methods_are_called_by(
    heard: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = heard
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):  # whatever else is set on this machine
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", url)
    async with slack_session() as session:
        assert not await Answers(session, api_url=url).add(UNHEARD, text="hello")
    assert asked == ["/answered"]
