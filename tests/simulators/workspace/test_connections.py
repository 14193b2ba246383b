"""Socket Mode at its worst: events that come again, connections that go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.clock import MovableClock
from bot.playground.workspace import CannotAct, Workspace, running
from bot.playground.workspace.wire import Json
from tests.support.small_bot import client_of, link


@pytest.fixture
async def hasty(clock: MovableClock) -> AsyncIterator[Workspace]:
    """A workspace that waits for acks only a moment."""
    async with running(clock=clock, ack_seconds=0.05) as workspace:
        yield workspace


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
    async with (
        client_of(hasty) as client,
        aiohttp.ClientSession() as session,
        session.ws_connect(await link(client, hasty)) as socket,
    ):
        line = Line(socket)
        assert (await line.next())["type"] == "hello"
        yield line
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


async def test_a_warning_comes_ten_seconds_before_the_end(
    hasty: Workspace, line: Line, clock: MovableClock
) -> None:
    await hasty.disconnect("warning")
    assert await line.next() == {
        "type": "disconnect",
        "reason": "warning",
        "debug_info": {"host": "playground"},
    }
    typed = asyncio.create_task(hasty.command("rosa"))
    await line.ack(await line.next())
    assert (await typed).acked
    clock.move(timedelta(seconds=11))
    await hasty.until(lambda: hasty.connections == 0)


async def test_a_link_that_is_off_stays_off(workspace: Workspace, client: AsyncWebClient) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive_json()
        await workspace.disconnect("link_disabled")
        assert (await socket.receive_json())["reason"] == "link_disabled"
    with pytest.raises(SlackApiError, match="forbidden_team"):
        await link(client, workspace)
    workspace.installation.socket_mode_enabled = True
    assert await link(client, workspace)
    with pytest.raises(CannotAct, match="Slack disconnects by warning"):
        await workspace.disconnect("boredom")


async def test_a_handshake_can_be_refused(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.breaks("link", status=503)
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await session.ws_connect(url)
        async with session.ws_connect(url):
            await workspace.until(lambda: workspace.connections == 1)


async def test_an_eleventh_connection_is_shown_the_door(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    async with aiohttp.ClientSession() as session:
        urls = [await link(client, workspace) for _ in range(11)]
        sockets = [await session.ws_connect(url) for url in urls[:10]]
        await workspace.until(lambda: workspace.connections == len(sockets))
        eleventh = await session.ws_connect(urls[10])
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
        assert (await eleventh.receive()).type is aiohttp.WSMsgType.CLOSE
        await workspace.drop_connections(count=3)
        await workspace.until(lambda: workspace.connections == 7)


async def test_what_is_under_way_is_given_up_when_the_workspace_closes(
    clock: MovableClock,
) -> None:
    async with running(clock=clock, ack_seconds=0.01) as workspace, client_of(workspace) as client:
        url = await link(client, workspace)
        async with aiohttp.ClientSession() as session, session.ws_connect(url):
            await workspace.until(lambda: workspace.connections == 1)
            await workspace.mention("ada", "status")
    clock.move(timedelta(hours=1))
    assert len(workspace.unacked) == 2
