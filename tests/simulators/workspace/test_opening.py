"""A workspace opens at once and closes promptly, whoever is still connected."""

import time

import aiohttp
import pytest

from bot.playground.clock import MovableClock
from bot.playground.workspace import running
from tests.support.small_bot import client_of


async def test_two_workspaces_of_one_seed_have_the_same_ids(clock: MovableClock) -> None:
    async with running(clock=clock, seed=1) as one, running(clock=clock, seed=1) as other:
        assert one.to_json()["people"] == other.to_json()["people"]
        assert one.url != other.url


async def test_sockets_are_closed_with_the_workspace(clock: MovableClock) -> None:
    async with aiohttp.ClientSession() as session:
        async with running(clock=clock) as workspace, client_of(workspace) as client:
            answer = await client.apps_connections_open(app_token=workspace.app_token)
            socket = await session.ws_connect(answer["url"])
            assert (await socket.receive_json())["type"] == "hello"
            began = time.monotonic()
        assert time.monotonic() - began < 1
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
