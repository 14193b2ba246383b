"""Serve an application on a listening socket, and leave no connection behind."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

TURNS = 5
"""Of the event loop, after which aiohttp knows each connection that was accepted."""


@asynccontextmanager
async def serving(
    runner: web.AppRunner, listener: socket.socket, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve until the block ends, then close the listener and every connection.

    asyncio makes a connection some turns after it has accepted it, and leaves it open if its server
    was closed in between. So it accepts no more at first, and then the server is closed. A client
    that does not get on with its TLS handshake is left to the timeout of asyncio.
    """
    try:
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield
    finally:
        try:
            asyncio.get_running_loop().remove_reader(listener)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            await runner.cleanup()
        finally:
            listener.close()
