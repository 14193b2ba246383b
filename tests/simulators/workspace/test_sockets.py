"""Socket Mode: shared connections, acks in time, retries, disconnects, how it opens and closes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import CannotAct, Workspace, running
from bot.playground.workspace.wire import Json
from tests.support.small_bot import Recorder, app_of, client_of, connected, link


@pytest.fixture
async def hasty(clock: MovableClock) -> AsyncIterator[Workspace]:
    """A workspace that waits for acks only a moment."""
    async with running(clock=clock, ack_seconds=0.05) as workspace:
        yield workspace


@asynccontextmanager
async def dialled(
    workspace: Workspace, client: Client
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection of an app that says nothing by itself; it was greeted."""
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        yield socket


async def test_connections_share_what_happens(workspace: Workspace, app: AsyncApp) -> None:
    Recorder(app, answer="hello")
    async with connected(app, workspace, times=3):
        replies = [await workspace.command("rosa") for _ in range(10)]
    assert {reply.text for reply in replies} == {"hello"}
    assert workspace.connections == 0


async def test_nobody_there_shows_as_an_error(workspace: Workspace) -> None:
    reply = await workspace.command("rosa", "help")
    assert not reply.acked
    assert reply.text == '/aad-setup failed with the error "dispatch_failed"'
    assert len(workspace.unacked) == 1


async def test_what_is_not_acknowledged_is_sent_once_more(hasty: Workspace) -> None:
    seen: list[Json] = []
    async with client_of(hasty) as client:
        app = app_of(client, hasty)

        @app.command("/aad-setup")
        async def deaf(body: Json) -> None:
            seen.append(body)
            raise ValueError("a bug")

        async with connected(app, hasty):
            reply = await hasty.command("rosa")
    assert reply.error == "operation_timeout"
    assert seen[0] == seen[1]
    assert [envelope.get("retry_attempt", 0) for envelope in hasty.unacked] == [0, 1]
    assert hasty.unacked[0]["envelope_id"] != hasty.unacked[1]["envelope_id"]


async def test_events_wait_for_the_app_to_come_back(workspace: Workspace, app: AsyncApp) -> None:
    bot = Recorder(app)
    await workspace.mention("ada", "are you there?")
    async with connected(app, workspace):
        await workspace.until(lambda: len(delivered(workspace)) == 2)  # once to nobody
    texts = [body["event"]["text"] for body in bot.heard]
    assert texts == [f"<@{workspace.bot_user_id}> are you there?"]


async def test_an_event_can_come_twice(workspace: Workspace, bot: Recorder) -> None:
    await workspace.mention("ada", "status")
    await workspace.redeliver()
    first, second = bot.heard
    assert first["event_id"] == second["event_id"]


async def test_the_app_comes_back_after_a_refresh(workspace: Workspace, bot: Recorder) -> None:
    bot.answer = "still here"
    await workspace.disconnect()
    await workspace.until(lambda: workspace.connections == 1)
    assert (await workspace.command("rosa")).text == "still here"


async def test_a_connection_that_breaks_fails_its_envelopes_at_once(
    workspace: Workspace, client: Client
) -> None:
    async with dialled(workspace, client) as socket:
        deliveries = len(workspace.unacked)
        typed = asyncio.create_task(workspace.command("rosa"))
        assert (await socket.receive_json())["type"] == "slash_commands"
        await socket.close()
        assert (await typed).error == "dispatch_failed"
    assert len(workspace.unacked) == deliveries + 2


async def test_a_ticket_is_good_for_one_connection(workspace: Workspace, client: Client) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(url)


async def test_nonsense_on_the_socket_is_a_complaint(workspace: Workspace, client: Client) -> None:
    async with dialled(workspace, client) as socket:
        await socket.send_str("hello?")
        await socket.send_json({"envelope_id": "unknown"})
        await workspace.until(lambda: len(workspace.complaints) == 2)


async def test_an_answer_where_none_is_taken_is_a_complaint(
    workspace: Workspace, client: Client
) -> None:
    async with dialled(workspace, client) as socket:
        said = asyncio.create_task(workspace.mention("ada", "status"))
        envelope = await socket.receive_json()
        answer = {"envelope_id": envelope["envelope_id"], "payload": {"text": "x"}}
        await socket.send_json(answer)
        await said
    assert len(workspace.complaints) == 1
    await workspace.drop_connections()


class Line:
    """One websocket of an app that acknowledges what it likes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def next(self) -> Json:
        message: Json = await self._socket.receive_json(timeout=5)
        return message

    async def ack(self, envelope: Json) -> None:
        await self._socket.send_json({"envelope_id": envelope["envelope_id"]})


@pytest.fixture
async def line(hasty: Workspace) -> AsyncIterator[Line]:
    async with client_of(hasty) as client, dialled(hasty, client) as socket:
        yield Line(socket)
        await hasty.drop_connections()


async def test_an_event_that_is_not_taken_comes_three_times_more(
    hasty: Workspace, line: Line, clock: MovableClock
) -> None:
    await hasty.mention("ada", "status")
    came = [await line.next() for _ in range(2)]
    clock.move(timedelta(seconds=59))
    clock.move(timedelta(seconds=1))
    came.append(await line.next())
    await hasty.until(lambda: len(hasty.unacked) == 3)
    clock.move(timedelta(minutes=5))
    came.append(await line.next())
    assert [envelope["retry_attempt"] for envelope in came] == [0, 1, 2, 3]
    assert [envelope["retry_reason"] for envelope in came] == ["", "timeout", "timeout", "timeout"]
    assert len({envelope["envelope_id"] for envelope in came}) == 4
    assert len({envelope["payload"]["event_id"] for envelope in came}) == 1
    await hasty.until(lambda: len(hasty.unacked) == 4)


async def test_an_event_that_is_taken_at_last_does_not_come_again(
    hasty: Workspace, line: Line, clock: MovableClock
) -> None:
    await hasty.mention("ada", "status")
    for _ in range(2):
        await line.next()
    clock.move(timedelta(minutes=1))
    await line.ack(await line.next())
    await hasty.until(lambda: len(delivered(hasty)) == 3)
    clock.move(timedelta(hours=1))
    said = asyncio.create_task(hasty.mention("ada", "again"))
    assert (await line.next())["payload"]["event"]["text"].endswith("again")
    await said


def delivered(workspace: Workspace) -> list[Json]:
    return [entry.sent for entry in workspace.log if entry.what == "events_api"]


async def test_a_link_that_is_off_stays_off(workspace: Workspace, client: Client) -> None:
    async with dialled(workspace, client) as socket:
        await workspace.disconnect("link_disabled")
        assert (await socket.receive_json())["reason"] == "link_disabled"
    with pytest.raises(SlackApiError, match="forbidden_team"):
        await link(client, workspace)
    workspace.installation.socket_mode_enabled = True
    assert await link(client, workspace)
    with pytest.raises(CannotAct, match="Slack disconnects by refresh"):
        await workspace.disconnect("boredom")


async def test_a_handshake_can_be_refused(workspace: Workspace, client: Client) -> None:
    workspace.faults.breaks("link", status=503)
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await session.ws_connect(url)
        async with session.ws_connect(url):
            await workspace.until(lambda: workspace.connections == 1)


async def test_an_eleventh_connection_is_shown_the_door(
    workspace: Workspace, client: Client
) -> None:
    async with aiohttp.ClientSession() as session:
        urls = [await link(client, workspace) for _ in range(11)]
        sockets = [await session.ws_connect(url) for url in urls[:10]]
        await workspace.until(lambda: workspace.connections == len(sockets))
        with pytest.raises(SlackApiError, match="too_many_websockets"):
            await link(client, workspace)
        eleventh = await session.ws_connect(urls[10])
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
        assert (await eleventh.receive()).type is aiohttp.WSMsgType.CLOSE
        await workspace.drop_connections(count=3)
        await workspace.until(lambda: workspace.connections == 7)


async def test_what_is_under_way_is_given_up_when_the_workspace_closes(clock: MovableClock) -> None:
    async with (
        running(clock=clock, ack_seconds=0.01) as workspace,
        client_of(workspace) as client,
        dialled(workspace, client),
    ):
        await workspace.until(lambda: workspace.connections == 1)
        await workspace.mention("ada", "status")
    clock.move(timedelta(hours=1))
    assert len(workspace.unacked) == 2


async def test_two_workspaces_of_one_seed_have_the_same_ids(clock: MovableClock) -> None:
    async with running(clock=clock, seed=1) as one, running(clock=clock, seed=1) as other:
        assert one.to_json()["people"] == other.to_json()["people"]
        assert one.url != other.url


async def test_sockets_are_closed_with_the_workspace(clock: MovableClock) -> None:
    async with aiohttp.ClientSession() as session:
        async with running(clock=clock) as workspace, client_of(workspace) as client:
            socket = await session.ws_connect(await link(client, workspace))
            assert (await socket.receive_json())["type"] == "hello"
            began = time.monotonic()
        assert time.monotonic() - began < 5  # aiohttp alone would wait a minute
        closing = await socket.receive()
        assert closing.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_a_port_can_be_chosen(clock: MovableClock) -> None:
    async with running(clock=clock) as workspace:
        port = int(workspace.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with running(clock=clock, port=port):
                pass
    async with running(clock=clock, port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"
