"""A server that stops leaves no connection open, however late it was accepted."""

import asyncio
import socket

import pytest
from aiohttp import web

from bot.server.serving import serving


@pytest.mark.parametrize("turns", range(8))
async def test_a_connection_that_is_accepted_last_is_closed(turns: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with serving(web.AppRunner(web.Application()), listener):
        client = socket.create_connection(listener.getsockname())
        for _ in range(turns):
            await asyncio.sleep(0)
    with client:
        client.settimeout(10)
        assert await asyncio.to_thread(_is_closed, client)


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:  # never accepted
        return True
