"""The HTTP server at PORT, for Slack in HTTP mode and for monitoring.

Health says whether the process lives, and whether it is ready for deliveries of Slack.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import sqlalchemy as sa
import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from bot.checks import CannotStart
from bot.storage.database import Database
from bot.worker.loops import Loop, report_bug
from handlers.transport import Transport

log = structlog.get_logger()

RECEIVE_BUFFER = 32 * 1024
READ_BUFFER = 16 * 1024
"""Bytes that the operating system and aiohttp keep of each connection before a handler reads them:
with the defaults 250 large bodies at once took 270 MB."""

IDLE_SECONDS = 75.0
"""How long a connection may be idle, also in the middle of a header: longer than most proxies keep
one open, which is a minute, because a proxy must not send a request into one that closes."""

REST_SECONDS = 5.0

CLIENT_ERRORS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""Errors of malformed requests and of clients that disconnect."""

Routes = Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]

STUCK_SECONDS = 300.0
"""How long a loop may go without having looked: each look is bounded well below this."""

DATABASE_SECONDS = 2.0


class Missing(Protocol):
    """The parts that must be there before the bot is ready."""

    @property
    def missing(self) -> str | None:
        """Why it is not there yet, as one phrase; None once it is."""
        ...


@dataclass(kw_only=True)
class Health:
    """Report problems in a few public words.

    Transport, loops and awaited services may come later than the first request.
    """

    database: Database
    awaited: Iterable[Missing] = ()
    transport: Transport | None = None
    loops: Iterable[Loop] = ()
    now: Callable[[], float] = time.monotonic
    """Real seconds: a hang is not measured by the bot's clock."""
    _question: asyncio.Task[bool] | None = None

    def liveness_problems(self) -> list[str]:
        """Return why this process should be restarted; nothing if it lives."""
        late = self.now() - STUCK_SECONDS
        return [f"{loop.name} hangs" for loop in self.loops if loop.looked_at < late]

    async def readiness_problems(self) -> list[str]:
        """Return why nothing should be sent here now; nothing if the bot is ready."""
        hindrances = [it.missing for it in self.awaited if it.missing is not None]
        if self.transport is None or not await self.transport.is_up():
            hindrances.append("nothing comes in from Slack")
        if not await self._database_answers():
            hindrances.append("the database does not answer")
        return hindrances

    async def settle(self) -> None:
        """Wait a limited time for the last query to end, so that the database can be closed."""
        if self._question is not None:
            await asyncio.wait({self._question}, timeout=DATABASE_SECONDS)
            self._question.cancel()

    async def _database_answers(self) -> bool:
        # One question at a time, and never cancelled: that would leak its connection.
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._ask_database())
        done, _ = await asyncio.wait({self._question}, timeout=DATABASE_SECONDS)
        return bool(done) and self._question.result()

    async def _ask_database(self) -> bool:
        try:
            async with self.database.reading() as tx:
                await tx.execute(sa.text("SELECT 1"))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("database does not answer", type=type(error).__name__)
            return False
        return True


@asynccontextmanager
async def opened(
    address: str,
    port: int | None,
    *,
    health: Health,
    routes: Routes,
    idle_seconds: float = IDLE_SECONDS,
) -> AsyncIterator[None]:
    """Serve these paths, `/healthz` and `/readyz`, while inside; nothing if there is no port.

    Raises CannotStart.
    """
    if port is None:
        yield
        return
    runner = web.AppRunner(
        _app(health, routes),
        access_log=None,
        logger=_logger(),
        shutdown_timeout=REST_SECONDS,
        keepalive_timeout=idle_seconds,
        read_bufsize=READ_BUFFER,
        auto_decompress=False,  # Slack compresses nothing, and any client may send a zip bomb
    )
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(address, port)).start()
        yield
    finally:
        await runner.cleanup()
        await health.settle()


class _Bugs(logging.Handler):
    """Log our own bugs only, and nothing of the request.

    aiohttp quotes the bytes that it could not read, and their sender chose them.
    """

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not is_of_client(error):
            report_bug("a request at the port", error or RuntimeError())


def is_of_client(error: BaseException | None) -> bool:
    """Whether the client sent something malformed, or went away.

    If it went away before its body was read, aiohttp has no class for that.
    """
    is_gone = type(error) is RuntimeError and str(error) == "Connection closed."
    return is_gone or isinstance(error, CLIENT_ERRORS)


def _logger() -> logging.Logger:
    """Return aiohttp's logger. It is detached: nothing propagates."""
    logger = logging.Logger("http_server", level=logging.ERROR)
    logger.addHandler(_Bugs())
    return logger


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        bound = socket.create_server((address, port), family=family)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise CannotStart(
            f"PORT {port} on {address} cannot be listened on: {why}. Choose another, or stop"
            " what uses it."
        ) from None
    # Connections inherit it.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    log.info("listening", address=address, port=port)
    return bound


def _app(health: Health, routes: Routes) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return _told("alive", health.liveness_problems())

    async def readyz(_: web.Request) -> web.Response:
        return _told("ready", await health.readiness_problems())

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    for path, handle in routes.items():
        app.router.add_route("*", path, handle)
    return app


def _told(word: str, against: list[str]) -> web.Response:
    """Answer 200 if there are no problems, 503 otherwise."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if against else HTTPStatus.OK
    body = {word: not against, **({"because": against} if against else {})}
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
