"""The start while Entra or Slack is away, by `aad-setup serve`, a process of its own."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from bot.playground.stage import Stage
from bot.restore import database_copy
from bot.storage.vault import Vault
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import MODES, environ
from tests.support.marks import slow
from tests.support.serve_process import COLD, SECONDS, STOP_SECONDS, starting
from tests.support.story import Story

UNUSABLE = 2


class Link:
    """The network between the bot and a service: a port that refuses, hangs or passes on."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None

    def through(self, url: str) -> str:
        """Return the address with this port in the place of its own."""
        return urlsplit(url)._replace(netloc=f"127.0.0.1:{self.port}").geturl()

    def hang(self) -> None:
        """Take connections and never say a word."""
        self._socket.listen()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, sock=self._socket)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()  # and with it the socket
        else:
            self._socket.close()

    async def _pass_on(self, inner: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        host, port = self._target.hostname, self._target.port
        outer, forth = await asyncio.open_connection(host, port)
        await asyncio.gather(_pump(inner, forth), _pump(outer, back))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    link = Link(url)
    try:
        yield link
    finally:
        await link.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [MODES[0], slow(MODES[1])])
async def test_slack_is_served_while_entra_is_away_and_what_was_asked_goes_on_by_itself(
    stage: Stage, door: HttpEndpoint, mode: str
) -> None:
    workspace, story, faults = stage.workspace, Story(stage), stage.tenant.faults
    faults.unreachable = True
    async with starting(stage.environ(**environ(mode, door, stage)), stage.folder) as bot:
        await bot.says("serving Slack")
        assert (await door.ask("/healthz")).body == {"alive": True}
        await bot.says("outage at the start")
        assert "service=Entra why=NoAnswer" in bot.log
        told = await door.until("/readyz", 503)
        assert told.body["because"] == ["Entra cannot be used: NoAnswer"]
        await story.open_form()
        form = {"Application name": "billing", "Reason": "To sync the directory"}
        assert not (await workspace.submit("rosa", form)).errors
        await story.until(lambda: "Entra cannot be reached" in story.direct("rosa"))
        assert "goes on by itself" in story.direct("rosa")
        assert not workspace.messages("approvals")
        faults.unreachable = False
        await story.until(lambda: workspace.messages("approvals"), timeout=SECONDS)
        assert "Entra cannot be reached" not in story.card()
        await story.until(lambda: "Entra cannot be reached" not in story.direct("rosa"))
        assert (await door.until("/readyz", 200)).body == {"ready": True}
        assert await bot.stop() < STOP_SECONDS
        assert "event=stopped" in bot.log


@pytest.mark.slow
@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("service", ["slack", "entra"])
async def test_a_stop_is_obeyed_at_once_while_a_service_is_away(
    stage: Stage, door: HttpEndpoint, service: str, hangs: bool
) -> None:
    away = stage.workspace.api_url if service == "slack" else stage.tenant.graph_url
    async with linked(away) as link:
        if hangs:
            link.hang()
        changes = {"SLACK_API_URL": link.through(away)}
        if service == "entra":
            changes = {"ENTRA_AUTHORITY": link.through(stage.tenant.authority)}
        async with starting(stage.environ(**door.watched(), **changes), stage.folder) as bot:
            await bot.listens(door)
            if service == "entra":
                await bot.says("serving Slack")
                await stage.workspace.until(lambda: stage.workspace.connections)
            because = (await door.until("/readyz", 503)).body["because"]
            assert any(reason.lower().startswith(service) for reason in because)
            assert await bot.stop() < STOP_SECONDS
            assert "event=stopped" in bot.log
            assert "event=bug" not in bot.log


@pytest.mark.slow
async def test_slack_is_waited_for_too(stage: Stage, door: HttpEndpoint) -> None:
    async with linked(stage.workspace.api_url) as link:
        changes = {"SLACK_API_URL": link.through(stage.workspace.api_url)}
        async with starting(stage.environ(**door.watched(), **changes), stage.folder) as bot:
            await bot.says("outage at the start")
            assert "service=Slack" in bot.log
            await link.open()
            assert (await door.until("/readyz", 200)).body == {"ready": True}


@pytest.mark.slow
async def test_an_outage_that_ends_in_a_refusal_ends_the_start(
    stage: Stage, door: HttpEndpoint
) -> None:
    stage.tenant.faults.fail("POST", "/token", status=503, times=2)
    wrong = stage.environ(**door.watched(), ENTRA_CLIENT_SECRET="wrong")
    async with starting(wrong, stage.folder) as bot:
        assert await bot.ended() == UNUSABLE
        assert "outage at the start" in bot.log
        assert "Entra: The bot itself could not sign in." in bot.log


@pytest.mark.slow
async def test_a_right_that_is_missing_ends_the_start(stage: Stage) -> None:
    right = "AppRoleAssignment.ReadWrite.All"
    stage.tenant.deny(stage.tenant.administrator, right)
    async with starting(stage.environ(), stage.folder) as bot:
        assert await bot.ended() == UNUSABLE
        assert f"Entra: {right} is missing for CONSENT_MODE=autonomous." in bot.log


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.4 * step for step in range(1, 7)])
async def test_a_stop_at_any_moment_of_the_start_is_obeyed(
    stage: Stage, door: HttpEndpoint, after: float
) -> None:
    async with starting(stage.environ(**door.watched()), stage.folder, COLD) as bot:
        await asyncio.sleep(after)  # a moment of the start, whichever it is
        began = time.monotonic()
        bot.process.send_signal(signal.SIGTERM)
        # Before the program has begun, Python's own answer to the signal ends it.
        assert await bot.ended() in (0, -signal.SIGTERM), bot.log
        assert time.monotonic() - began < STOP_SECONDS
        assert "Traceback" not in bot.log


@pytest.mark.slow
async def test_a_restored_copy_is_compared_with_entra_before_slack_is_served(
    stage: Stage, door: HttpEndpoint
) -> None:
    settings = stage.environ(**door.watched())
    async with starting(settings, stage.folder) as bot:
        await bot.says("event=running")
        await bot.stop()
    vault, url = Vault([stage.vault_key]), settings["DATABASE_URL"]
    await database_copy.announce(url, vault=vault, now=stage.clock.now())
    listing = stage.tenant.faults.refuse("GET", "/applications")
    async with starting(settings, stage.folder) as bot:
        await bot.says("compared later")
        told = await door.until("/readyz", 503)
        assert "a restored copy of the database is compared with Entra first" in str(told.body)
        assert stage.workspace.connections == 0
        assert await bot.stop() < STOP_SECONDS
    wrong = settings | {"ENTRA_CLIENT_SECRET": "wrong"}
    async with starting(wrong, stage.folder) as bot:
        assert await bot.ended() == UNUSABLE
    listing.times = 0
    async with starting(settings, stage.folder) as bot:
        await bot.listens(door)
        assert (await door.until("/readyz", 200)).body == {"ready": True}
