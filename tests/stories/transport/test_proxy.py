"""A proxy between the bot and the world: one rule for Slack's methods, sockets and hooks, for the
sign-in and for Graph.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from bot.checks import CannotStart, check_sign_in, check_slack, slack_client, slack_session
from bot.domain.catalogue import read_catalogue
from bot.planning.plans import preview
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.settings.settings import Settings, SettingsError, read_access
from bot.worker.outages import Outage
from graph.connection import connected, why_unreachable
from graph.errors import Unreachable
from graph.http import Proxies, shown
from tests.support import http_proxy as proxies
from tests.support.factories import form
from tests.support.http_modes import Serving
from tests.support.http_proxy import PASSWORD, Proxy
from tests.support.story import Story

SLACK, SOCKET = "https://slack.com/api/", "wss://wss-primary.slack.com/link"
Ask = Callable[[Settings, MovableClock], Awaitable[None]]
LOGIN, GRAPH = "https://login.microsoftonline.com/t", "https://graph.microsoft.com"


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """A proxy that the environment names, also to libraries that look there themselves."""
    async with proxies.running() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        yield proxy


def environ(proxy: Proxy, **more: str) -> dict[str, str]:
    return {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, **more}


async def ask_slack(settings: Settings, clock: MovableClock) -> None:
    async with slack_session() as session:
        await check_slack(slack_client(settings, session, token=settings.slack_bot_token), settings)


async def ask_entra(settings: Settings, clock: MovableClock) -> None:
    async with connected(settings, clock) as connection:
        await check_sign_in(connection.tokens, settings)


@pytest.mark.slow
async def test_every_call_goes_through_the_proxy(
    stage: Stage, serving: Serving, proxy: Proxy
) -> None:
    async with serving(**environ(proxy)):
        story = Story(stage)
        id = await story.ready()
        await story.values(id)
        assert "••••••••" not in await story.reveal()
    workspace = urlsplit(stage.workspace.url).netloc
    tenant = {urlsplit(stage.environ()[name]).netloc for name in ("ENTRA_AUTHORITY", "GRAPH_URL")}
    assert {f"CONNECT {each}" for each in tenant} <= set(proxy.seen)
    assert {f"GET {workspace}", f"POST {workspace}"} <= set(proxy.seen)  # the socket is the GET
    direct = [it for it in proxy.seen if it.split()[1] not in {workspace, *tenant}]
    assert not direct


@pytest.mark.slow
async def test_no_proxy_counts_for_every_call(
    stage: Stage, serving: Serving, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    async with serving(**environ(proxy, NO_PROXY="127.0.0.1,localhost")):
        story = Story(stage)
        id = await story.ready()
        await story.values(id)
        assert "••••••••" not in await story.reveal()
        await story.workspace.mention("ben", f"status {id}")
        await story.until(lambda: story.workspace.messages("general"))
    assert proxy.seen == []


async def test_a_proxy_that_refuses_is_named_without_its_password(
    stage: Stage, proxy: Proxy, clock: MovableClock, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy.refuses = True
    with pytest.raises((CannotStart, Outage)) as caught:
        await ask_slack(Settings.read(stage.environ(**environ(proxy))), clock)
    told = str(caught.value) + getattr(caught.value, "advice", "")
    tenant = stage.environ()["GRAPH_URL"]
    unreachable = await why_unreachable(
        tenant, ca_bundle=stage.environ()["CA_BUNDLE"], proxies=Proxies.read(environ(proxy))
    )
    assert unreachable is not None
    assert f"the proxy http://{proxy.address}" in unreachable.advice
    for said in (told, unreachable.advice, *capsys.readouterr()):
        assert PASSWORD not in said


@pytest.mark.parametrize(
    ("name", "ask", "between"),
    [("HTTP_PROXY", ask_slack, ""), ("HTTPS_PROXY", ask_entra, "ENTRA_AUTHORITY")],
)
async def test_a_proxy_that_is_away_is_named(
    stage: Stage, proxy: Proxy, clock: MovableClock, name: str, ask: Ask, between: str
) -> None:
    gone = proxy.url.replace(str(proxy.port), "1")
    with pytest.raises(Outage) as caught:
        await ask(Settings.read(stage.environ(**{name: gone})), clock)
    assert f"the proxy http://127.0.0.1:1 and {between}" in caught.value.advice
    assert PASSWORD not in caught.value.advice
    assert "proxy" not in caught.value.why


async def test_a_plan_in_a_terminal_names_the_proxy_that_is_away(
    stage: Stage, proxy: Proxy, clock: MovableClock
) -> None:
    gone = proxy.url.replace(str(proxy.port), "1")
    settings = read_access(stage.environ(HTTPS_PROXY=gone))
    with pytest.raises(Unreachable) as caught:
        await preview(form(), read_catalogue()["mimecast"], settings=settings, clock=clock)
    assert "the proxy http://127.0.0.1:1" in caught.value.advice


@pytest.mark.parametrize(
    ("environ", "through"),
    [
        ({}, [None] * 4),
        ({"HTTPS_PROXY": "http://a:1"}, ["http://a:1"] * 4),
        ({"https_proxy": "http://b:1", "HTTPS_PROXY": "http://a:1"}, ["http://b:1"] * 4),
        ({"HTTPS_PROXY": "a:1"}, ["http://a:1"] * 4),
        ({"ALL_PROXY": "http://c:1"}, ["http://c:1"] * 4),
        ({"HTTP_PROXY": "http://a:1"}, [None] * 4),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, [None] * 4),
        (
            {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "slack.com, 10.0.0.0/8"},
            [None, None, "http://a:1", "http://a:1"],
        ),
        (
            {"HTTPS_PROXY": "http://a:1", "no_proxy": ".microsoft.com"},
            ["http://a:1", "http://a:1", "http://a:1", None],
        ),
    ],
    ids=range(9),
)
def test_one_rule_for_all(environ: dict[str, str], through: list[str | None]) -> None:
    found = Proxies.read(environ)
    assert [found.of(url) for url in (SLACK, SOCKET, LOGIN, GRAPH)] == through
    assert not list(found.problems())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://a:1080"),
        ("HTTPS_PROXY", "socks5h://me:hush-hush@a:1080"),
        ("https_proxy", "http://:3128"),
        ("HTTP_PROXY", "http://a:port"),
        ("HTTPS_PROXY", "http://[::1"),
        ("NO_PROXY", "http://a.example"),
        ("NO_PROXY", "a.example b.example"),
        ("NO_PROXY", "a.example;b.example"),
        ("no_proxy", "ä.example"),
    ],
)
def test_what_cannot_be_used_is_said_without_its_value(stage: Stage, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(stage.environ(**{name: value}))
    [sentence] = caught.value.problems
    assert sentence.startswith(f"{name.upper()} must ")
    assert value not in sentence


def test_a_proxy_is_shown_without_user_and_password() -> None:
    assert shown("http://me:hush-hush@proxy.example:3128") == "http://proxy.example:3128"
    assert "hush-hush" not in repr(Proxies.read({"ALL_PROXY": "http://me:hush-hush@a:1"}))
