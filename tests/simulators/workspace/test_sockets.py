"""Socket Mode: shared connections, acks in time, retries, disconnects."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace, running
from bot.playground.workspace.wire import Json
from tests.support.small_bot import app_of, client_of, connected, link


@pytest.fixture
async def hasty(clock: MovableClock) -> AsyncIterator[Workspace]:
    """A workspace that waits for acks only a moment."""
    async with running(clock=clock, ack_seconds=0.05) as workspace:
        yield workspace


async def test_connections_share_what_happens(workspace: Workspace, app: AsyncApp) -> None:
    @app.command("/aad-setup")
    async def answer(ack: AsyncAck) -> None:
        await ack("hello")

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
    heard: list[str] = []

    @app.event("app_mention")
    async def mentioned(event: Json) -> None:
        heard.append(event["text"])
        workspace.changed()

    await workspace.mention("ada", "are you there?")
    async with connected(app, workspace):
        await workspace.until(lambda: heard)
    assert heard == [f"<@{workspace.bot_user_id}> are you there?"]


async def test_an_event_can_come_twice(workspace: Workspace, app: AsyncApp) -> None:
    ids: list[str] = []

    @app.event("app_mention")
    async def mentioned(body: Json) -> None:
        ids.append(body["event_id"])

    async with connected(app, workspace):
        await workspace.mention("ada", "status")
        await workspace.redeliver()
    assert ids[0] == ids[1]


async def test_the_app_comes_back_after_a_refresh(workspace: Workspace, app: AsyncApp) -> None:
    @app.command("/aad-setup")
    async def answer(ack: AsyncAck) -> None:
        await ack("still here")

    async with connected(app, workspace):
        await workspace.disconnect()
        await workspace.until(lambda: workspace.connections == 1)
        assert (await workspace.command("rosa")).text == "still here"


async def test_a_connection_that_breaks_fails_its_envelopes_at_once(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        deliveries = len(workspace.unacked)
        typed = asyncio.create_task(workspace.command("rosa"))
        assert (await socket.receive_json())["type"] == "slash_commands"
        await socket.close()
        assert (await typed).error == "dispatch_failed"
    assert len(workspace.unacked) == deliveries + 2


async def test_a_ticket_is_good_for_one_connection(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(url)


async def test_an_app_has_ten_connections_at_most(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    async with aiohttp.ClientSession() as session:
        urls = [await link(client, workspace) for _ in range(10)]
        sockets = [await session.ws_connect(url) for url in urls]
        await workspace.until(lambda: workspace.connections == len(sockets))
        with pytest.raises(SlackApiError, match="too_many_websockets"):
            await link(client, workspace)


async def test_nonsense_on_the_socket_is_a_complaint(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_str("hello?")
        await socket.send_json({"envelope_id": "unknown"})
        await workspace.until(lambda: len(workspace.complaints) == 2)


async def test_an_answer_where_none_is_taken_is_a_complaint(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    url = await link(client, workspace)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive_json()
        said = asyncio.create_task(workspace.mention("ada", "status"))
        envelope = await socket.receive_json()
        answer = {"envelope_id": envelope["envelope_id"], "payload": {"text": "x"}}
        await socket.send_json(answer)
        await said
    assert len(workspace.complaints) == 1
    await workspace.drop_connections()
