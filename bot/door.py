"""The door: what the bot serves at PORT, to Slack in HTTP mode and to whoever watches over it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from aiohttp import web

from bot.health import Health

log = structlog.get_logger()

LARGEST_BODY = 1024 * 1024
"""Bytes. Slack's largest payload, a full form of 100 blocks, is a fraction of this."""

REST_SECONDS = 5.0

Routes = dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]


class CannotOpen(Exception):
    """The port cannot be listened on; the sentence says why."""


@asynccontextmanager
async def opened(
    address: str, port: int | None, *, health: Health, routes: Routes
) -> AsyncIterator[None]:
    """Serve these paths, `/healthz` and `/readyz`, while inside; nothing if there is no port.

    Raises CannotOpen.
    """
    if port is None:
        yield
        return
    runner = web.AppRunner(
        _app(health, routes),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=REST_SECONDS,
        auto_decompress=False,  # Slack compresses nothing, and anybody may send a bomb
    )
    await runner.setup()
    try:
        await _listen(runner, address, port)
        yield
    finally:
        await runner.cleanup()
        await health.settle()


async def _listen(runner: web.AppRunner, address: str, port: int) -> None:
    try:
        await web.TCPSite(runner, address, port).start()
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise CannotOpen(
            f"PORT {port} on {address} cannot be listened on: {why}. Choose another, or stop"
            " what uses it."
        ) from None
    log.info("listening", address=address, port=port)


def _app(health: Health, routes: Routes) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return _told("alive", health.ailments())

    async def readyz(_: web.Request) -> web.Response:
        return _told("ready", await health.hindrances())

    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    for path, handle in routes.items():
        app.router.add_route("*", path, handle)
    return app


def _told(word: str, against: list[str]) -> web.Response:
    """Answer 200 if nothing speaks against it, 503 otherwise."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if against else HTTPStatus.OK
    body = {word: not against, **({"because": against} if against else {})}
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
