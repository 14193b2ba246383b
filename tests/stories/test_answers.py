"""Where a click is answered: at Slack's hooks, for our own workspace; and what counts as yes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.people import Refusal
from bot.settings.allowed_hosts import response_urls
from graph.http import DIRECT
from handlers.slack.destinations import ResponseUrls

SLACK = "https://slack.com/api/"
HERE = "http://127.0.0.1:4711/api/"
IDS = {"T0OURS", "E0OURS"}
PATH = "/actions/T0OURS/397700885554/96rGlfmibIGlgcZRskXaIFfN"
REAL = f"https://hooks.slack.com{PATH}"


@pytest.mark.parametrize(
    "url",
    [
        REAL,
        f"https://hooks.slack-gov.com{PATH}",
        "https://hooks.slack.com/commands/T0OURS/1/a-B_9",
        "https://hooks.slack.com/actions/E0OURS/1/a",
    ],
)
def test_slack_s_hooks_of_our_workspace_are_answered(url: str) -> None:
    assert response_urls(SLACK, ids=IDS).fullmatch(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://slack.com" + PATH,
        "https://api.slack.com" + PATH,
        "https://files.slack.com" + PATH,
        "https://hooks.slack.com.evil.example" + PATH,
        "https://evil-hooks.slack.com" + PATH,
        "https://hooks.slack.com:8443" + PATH,
        "https://hooks.slack.com@evil.example" + PATH,
        "http://hooks.slack.com" + PATH,
        "http://127.0.0.1:4711" + PATH,
        REAL.replace("T0OURS", "T0THEIRS"),
        REAL.replace("/T0OURS", ""),
        REAL.replace("actions", "services"),
        REAL.replace("actions", "workflows"),
        REAL.replace("actions", "x/actions"),
        REAL.replace("T0OURS/", "T0OURS/../T0THEIRS/"),
        REAL.replace("T0OURS/", "T0OURS/%2e%2e/T0THEIRS/"),
        "https://hooks.slack.com/actions/T0OURS",
        "https://hooks.slack.com/actions/T0OURS/",
        REAL + "?to=elsewhere",
        REAL + "#there",
        REAL + "\n",
        "https://[" + PATH,
        "https://evil.example" + PATH,
    ],
)
def test_nothing_else_is_answered(url: str) -> None:
    assert not response_urls(SLACK, ids=IDS).fullmatch(url)


def test_another_slack_answers_at_its_own_address_only() -> None:
    assert response_urls(HERE, ids=IDS).fullmatch(f"http://127.0.0.1:4711{PATH}")
    for url in (f"http://127.0.0.1:4712{PATH}", f"http://localhost:4711{PATH}", REAL):
        assert not response_urls(HERE, ids=IDS).fullmatch(url)


@dataclass(kw_only=True)
class Hooks:
    """A server on this machine that takes answers, and what it was sent."""

    api_url: str = ""
    status: int = 200
    body: str = "ok"
    asked: list[str] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.Response(status=self.status, text=self.body, headers={"Location": "/further"})

    @property
    def url(self) -> str:
        return self.api_url.removesuffix("/api/") + PATH


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    hooks, app = Hooks(), web.Application()
    app.router.add_route("*", "/{path:.*}", hooks.hear)
    async with TestServer(app) as server:
        hooks.api_url = str(server.make_url("/api/"))
        yield hooks


@pytest.fixture
async def answers(hooks: Hooks) -> AsyncIterator[ResponseUrls]:
    async with aiohttp.ClientSession() as session:
        yield ResponseUrls(session, accepted=response_urls(hooks.api_url, ids=IDS), proxies=DIRECT)


async def test_nothing_on_this_machine_is_called_for_slack_itself(hooks: Hooks) -> None:
    async with aiohttp.ClientSession() as session:
        answers = ResponseUrls(session, accepted=response_urls(SLACK, ids=IDS), proxies=DIRECT)
        for forged in (hooks.url, hooks.url.replace("127.0.0.1", "localhost")):
            assert not await answers.add(forged, text="hello")
            assert not await answers.replace(forged, text="hello", blocks=[])
            with pytest.raises(Refusal, match="did not come from Slack"):
                answers.url_of({"response_url": forged})
    assert hooks.asked == []


@pytest.mark.parametrize("body", ["ok", "ok\n", '{"ok":true}', '{ "ok": true, "more": [] }'])
async def test_slack_s_yes_is_a_yes(hooks: Hooks, answers: ResponseUrls, body: str) -> None:
    hooks.body = body
    assert await answers.add(hooks.url, text="hello")
    assert await answers.replace(answers.url_of({"response_url": hooks.url}), text="x", blocks=[])
    assert hooks.asked == [PATH, PATH]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>ok</html>",
        '{"ok":false}',
        '{"ok": false, "error": "expired_url"}',
        '{"ok": "true"}',
        '{"ok": 1}',
        "true",
        "[]",
        "[" * 100_000,
        '{"ok": true' + " " * 10_000 + "}",
    ],
    ids=range(10),
)
async def test_whatever_is_no_yes_is_none(hooks: Hooks, answers: ResponseUrls, body: str) -> None:
    hooks.body = body
    assert not await answers.add(hooks.url, text="hello")


@pytest.mark.parametrize("status", [201, 307, 404, 500])
async def test_a_yes_comes_with_200_and_sends_nobody_on(
    hooks: Hooks, answers: ResponseUrls, status: int
) -> None:
    hooks.status = status
    assert not await answers.add(hooks.url, text="hello")
    assert hooks.asked == [PATH]
