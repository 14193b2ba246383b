"""The watchdog: a socket that Slack's client cannot get back is replaced."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from bot.server.http_server import SlackRoutes
from handlers.transport import CannotListen, InFlight
from handlers.transport.socket_mode import CLOSE_SECONDS, SocketApp, SocketMode
from tests.support.registrar_env import SETTINGS
from tests.support.small_bot import app_of, served
from tests.support.workspace_fixtures import app, client, clock, workspace

__all__ = ["app", "client", "clock", "workspace"]


@pytest.fixture
def answering(app: AsyncApp) -> AsyncApp:
    @app.command("/aad-setup")
    async def command(ack: AsyncAck) -> None:
        await ack("here")

    return app


def socket(app: AsyncApp, workspace: Workspace, *, app_id: str | None = None) -> SocketMode:
    return SocketMode(
        app,
        SocketApp(id=app_id or workspace.api_app_id, token=workspace.app_token),
        in_flight=InFlight(),
        watch_every=0.05,
        connect_seconds=0.3,
    )


@asynccontextmanager
async def listening(
    app: AsyncApp, workspace: Workspace, *, app_id: str | None = None
) -> AsyncIterator[SocketMode]:
    intake = socket(app, workspace, app_id=app_id)
    await intake.start()
    try:
        yield intake
    finally:
        await intake.stop()
        assert not await intake.is_up()


async def answered(workspace: Workspace) -> None:
    """Type a command until the bot is back: Slack refuses those that come before."""
    async with asyncio.timeout(60):
        await workspace.until(lambda: workspace.connections)
        while (await workspace.command("rosa", "help")).text != "here":
            await workspace.until(lambda: workspace.connections)


@pytest.mark.slow
async def test_a_handshake_that_is_refused_is_not_tried_for_ever_at_one_address(
    answering: AsyncApp, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with listening(answering, workspace) as intake:
            workspace.faults.breaks("link", status=503, times=3)
            await workspace.drop_connections()
            assert not await intake.is_up()
            await answered(workspace)
            assert await intake.is_up()
            assert workspace.connections == 1
    assert workspace.connections == 0
    assert len(workspace.calls("apps.connections.open")) >= 4
    assert "ticket=" not in caplog.text


@pytest.mark.parametrize("trouble", ["link_disabled", "ratelimited", "internal_error"])
async def test_an_address_that_slack_does_not_give_is_asked_for_again(
    answering: AsyncApp, workspace: Workspace, trouble: str
) -> None:
    async with listening(answering, workspace) as intake:
        if trouble == "ratelimited":
            workspace.faults.throttle("apps.connections.open", retry_after=30, times=3)
        else:
            workspace.faults.fail("apps.connections.open", trouble, times=3)
        await workspace.disconnect("link_disabled")
        workspace.installation.socket_mode_enabled = True  # somebody has turned it on again
        await answered(workspace)
        assert await intake.is_up()


@pytest.mark.parametrize("breaks", ["link", "apps.connections.open", ""])
async def test_an_outage_at_the_start_is_waited_for(
    answering: AsyncApp, workspace: Workspace, breaks: str
) -> None:
    if breaks:
        workspace.faults.breaks(breaks, status=503, times=1)
    else:
        workspace.faults.fail("apps.connections.open", "internal_error")
    async with listening(answering, workspace) as intake:
        assert not await intake.is_up()
        await answered(workspace)
        assert await intake.is_up()


@pytest.mark.parametrize(
    ("app_id", "sentence"),
    [
        (None, r"does not open \(not_allowed_token_type\): a firewall"),
        ("A0ANOTHER", "SLACK_APP_TOKEN is not of the same Slack app as"),
    ],
)
async def test_a_refusal_at_the_start_stops_it_with_a_sentence(
    app: AsyncApp, workspace: Workspace, app_id: str | None, sentence: str
) -> None:
    if app_id is None:
        workspace.faults.fail("apps.connections.open", "not_allowed_token_type")
    with pytest.raises(CannotListen, match=sentence):
        async with listening(app, workspace, app_id=app_id):
            pass
    await workspace.until(lambda: not workspace.connections)


async def test_a_refresh_by_slack_is_followed(answering: AsyncApp, workspace: Workspace) -> None:
    async with listening(answering, workspace):
        for _ in range(3):
            await workspace.disconnect("refresh_requested")
            await answered(workspace)


async def test_a_stop_waits_for_what_is_listened_to_and_takes_nothing_more(
    app: AsyncApp, client: AsyncWebClient, workspace: Workspace
) -> None:
    heard, may_end = asyncio.Event(), asyncio.Event()

    @app.command("/aad-setup")
    async def command(ack: AsyncAck) -> None:
        heard.set()
        await may_end.wait()
        await ack("at last")

    async with listening(app, workspace) as intake:
        first = asyncio.create_task(workspace.command("rosa", "one"))
        await heard.wait()
        heard.clear()
        stopping = asyncio.create_task(intake.stop())
        await asyncio.sleep(0)
        second = asyncio.create_task(workspace.command("ben", "two"))
        await workspace.until(lambda: not intake.in_flight.is_open)
        may_end.set()
        assert (await first).text == "at last"
        await stopping
        assert not (await second).acked
    assert not heard.is_set()


async def test_a_stop_during_the_start_leaves_nothing_open(
    app: AsyncApp, workspace: Workspace
) -> None:
    held = workspace.faults.hold("apps.connections.open")

    async def serve(intake: SocketMode) -> None:
        async with SlackRoutes(SETTINGS).listening(intake):
            raise AssertionError("the start is held")

    serving = asyncio.create_task(serve(replace(socket(app, workspace), connect_seconds=60)))
    await held.reached.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    held.drop()
    del serving
    gc.collect()  # which warns of a session that is left open, and a warning fails the test


async def test_a_stop_does_not_wait_for_a_socket_that_is_down(
    app: AsyncApp, workspace: Workspace
) -> None:
    async with listening(app, workspace) as intake:
        workspace.faults.breaks("link", status=503, times=1000)
        await workspace.drop_connections()
        async with asyncio.timeout(5):
            await intake.stop()
    workspace.faults.breaks("link", status=503, times=0)
    assert not workspace.connections


class Mute:
    """A Slack that says hello and then nothing more, not even goodbye."""

    def __init__(self) -> None:
        self._end = asyncio.Event()
        self.url = ""

    async def open(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": f"{self.url}/link"})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "connection_info": {"app_id": "A0MUTE"}})
        await self._end.wait()
        return socket

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = web.Application()
        server.router.add_post("/apps.connections.open", self.open)
        server.router.add_get("/link", self.link)
        async with served(server) as url:
            self.url = url.removesuffix("/slack/events")
            yield
            self._end.set()


@pytest.mark.slow
async def test_a_slack_that_does_not_say_goodbye_is_left(
    client: AsyncWebClient, workspace: Workspace
) -> None:
    mute = Mute()
    async with mute.running():
        client.base_url = mute.url + "/"
        before = asyncio.all_tasks()
        intake = socket(app_of(client, workspace), workspace, app_id="A0MUTE")
        await intake.start()
        assert await intake.is_up()
        async with asyncio.timeout(CLOSE_SECONDS + 3):
            await intake.stop()
        await asyncio.sleep(0)
        ours = {
            it for it in asyncio.all_tasks() - before if "SocketModeClient" in str(it.get_coro())
        }
        assert not ours
