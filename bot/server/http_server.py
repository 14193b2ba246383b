"""The transport that the settings choose, Socket Mode or HTTP, and the HTTP server at PORT, for
Slack in HTTP mode and for monitoring.

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

import sqlalchemy as sa
import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import Clock
from slack_sdk.web.async_client import AsyncWebClient

from bot.checks import CannotStart
from bot.restore.reconciliation import Reconciliation
from bot.server.serving import serving
from bot.services import Services
from bot.settings.settings import Settings
from bot.storage.database import Database
from bot.worker.loops import Loop, report_bug
from bot.worker.outages import AwaitedService
from handlers.slack.users import Installed
from handlers.transport import REST_SECONDS, InFlight, Transport, http
from handlers.transport.http import Http, Signatures
from handlers.transport.socket_mode import SocketApp, SocketMode

log = structlog.get_logger()

RECEIVE_BUFFER = 32 * 1024
READ_BUFFER = 16 * 1024
"""Bytes that the operating system and aiohttp keep of each connection before a handler reads them:
with the defaults 250 large bodies at once took 270 MB."""

IDLE_SECONDS = 75.0
"""How long a connection may be idle, also in the middle of a header: longer than most proxies keep
one open, which is a minute, because a proxy must not send a request into one that closes."""

CLIENT_ERRORS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""Errors of malformed requests and of clients that disconnect."""

Routes = Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]

STUCK_SECONDS = 300.0
"""How long a loop may go without having looked: each look is bounded well below this."""

DATABASE_SECONDS = 2.0


@dataclass(kw_only=True)
class Health:
    """Report problems in a few public words.

    Transport, loops and awaited services may come later than the first request.
    """

    database: Database
    awaited: Iterable[AwaitedService | Reconciliation] = ()
    """What must be there before the bot is ready."""
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
) -> AsyncIterator[Health]:
    """Serve these paths, `/healthz` and `/readyz`, while inside; nothing if there is no port.

    Raises CannotStart.
    """
    if port is None:
        yield health
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
    try:
        async with serving(runner, _bound(address, port)):
            yield health
    finally:
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


def bolt_app(client: AsyncWebClient, settings: Settings, installed: Installed) -> AsyncApp:
    """Return Bolt without listeners, for one workspace. `client` has no token of its own."""
    result = AuthorizeResult(
        enterprise_id=None,
        team_id=installed.team_id,
        bot_id=installed.bot_id,
        bot_user_id=installed.bot_user_id,
        bot_token=settings.slack_bot_token,
    )

    async def authorize() -> AuthorizeResult:
        # Said once at the start: no call for each request, and no OAuth, which variables of the
        # environment (SLACK_CLIENT_ID and SLACK_CLIENT_SECRET) would else turn on behind our back.
        return result

    return AsyncApp(
        name="aad-setup",  # else Bolt looks for the file that made it, through every module
        client=client,
        authorize=authorize,
        signing_secret=settings.slack_signing_secret,
        # Else Bolt answers a listener that acknowledges and then raises with 404, seconds later.
        process_before_response=True,
        # Else Bolt's loggers follow the root's level, and print every payload at DEBUG.
        logger=client.logger,
    )


def transport_of(
    bolt: AsyncApp,
    services: Services,
    installed: Installed,
    in_flight: InFlight,
    watch_every: float,
) -> Transport:
    """Return the configured transport. A socket is checked every `watch_every` seconds."""
    settings = services.settings
    if settings.slack_signing_secret is None:
        token, proxies = settings.slack_app_token or "", settings.proxies
        app = SocketApp(id=installed.app_id, token=token, proxies=proxies)
        return SocketMode(bolt, app, in_flight=in_flight, watch_every=watch_every)
    # Slack stamps its requests with real time, so the bot's own clock stays out.
    signatures = Signatures(settings.slack_signing_secret, Clock())
    return Http(bolt, signatures=signatures, database=services.database, in_flight=in_flight)


class SlackRoutes:
    """Serve the path of the HTTP transport at PORT: 503 until there is one."""

    def __init__(self, settings: Settings) -> None:
        is_on = settings.slack_signing_secret is not None
        self.routes: Routes = {http.PATH: self._handle} if is_on else {}
        self._http: Http | None = None

    @asynccontextmanager
    async def listening(self, transport: Transport) -> AsyncIterator[None]:
        """Accept deliveries of Slack while inside. Raises CannotListen."""
        try:
            await transport.start()
            self._http = transport if isinstance(transport, Http) else None
            log.info("serving Slack")
            yield
        finally:
            await transport.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._http is None:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        return await self._http.handle(request)
