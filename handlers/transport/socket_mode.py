"""Socket Mode: envelopes come over a socket that the bot opens, so it needs no public address.

docs.slack.dev/apis/events-api/using-socket-mode. Slack's client opens a socket that breaks again,
but after a failed handshake it tries the same address for ever, which is good only once. So a
watchdog looks, and replaces the whole client if it stays down.
"""

import asyncio
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.logs import socket_logger
from bot.worker.loops import Loop
from graph.http import DIRECT, Proxies, shown
from handlers.slack.api_errors import FAILED, NO_ANSWER, code_of, is_outage
from handlers.transport import REST_SECONDS, CannotListen, InFlight

log = structlog.get_logger()

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
ANOTHER_APP = "another app"
LONGEST_WAIT_SECONDS = 60.0
"""Longest pause between the watchdog's attempts while Slack refuses."""


@dataclass(frozen=True, kw_only=True)
class SocketApp:
    """The Slack app that the socket is for, and the way to Slack."""

    id: str
    token: str = field(repr=False)
    proxies: Proxies = DIRECT


@dataclass(eq=False)
class SocketMode:
    """Keeps one connection: a socket that is down at two looks is replaced."""

    bolt: AsyncApp
    app: SocketApp
    _: KW_ONLY
    in_flight: InFlight
    watch_every: float
    """Real seconds between two looks."""
    connect_seconds: float = CONNECT_SECONDS

    def __post_init__(self) -> None:
        self._handler: _Handler | None = None
        self._proxy: str | None = None
        self._was_up = True
        self._failures = 0
        self._again_at = 0.0
        self._watchdog = Loop("socket", self._look, every=self.watch_every)

    async def start(self) -> None:
        self.in_flight.is_open = True
        problem = await self._connect()
        if problem is not None and not problem.may_pass:
            self.in_flight.is_open = False
            raise CannotListen(_sentence(problem, self._proxy))
        if problem is not None:
            advice = _sentence(problem, self._proxy)
            log.warning("socket not opened yet", why=problem.code, advice=advice)
        self._watchdog.start()

    async def is_up(self) -> bool:
        handler = self._handler
        return (
            self.in_flight.is_open and handler is not None and await handler.client.is_connected()
        )

    async def stop(self) -> None:
        self.in_flight.is_open = False
        left, _ = await asyncio.gather(self.in_flight.drained(REST_SECONDS), self._watchdog.stop())
        if left:
            log.warning("stopped before these envelopes were answered", envelopes=left)
        await self._disconnect()

    async def _look(self) -> None:
        """Replace the connection if it was down at the last look, too."""
        if not self.in_flight.is_open:
            return
        was_up, self._was_up = self._was_up, await self.is_up()
        now = asyncio.get_running_loop().time()
        if self._was_up:
            self._failures = 0
            self._again_at = 0.0
        elif not was_up and now >= self._again_at:
            await self._replace()

    async def _replace(self) -> None:
        log.warning("socket down: opening another")
        await self._disconnect()
        if problem := await self._connect():
            self._failures += 1
            wait = min(self.watch_every * 2.0 ** min(self._failures, 10), LONGEST_WAIT_SECONDS)
            self._again_at = asyncio.get_running_loop().time() + wait
            log.warning("socket not opened", why=problem.code, again_in=round(wait, 1))
        else:
            log.info("socket opened again")

    async def _connect(self) -> "_Problem | None":
        """Open a new socket at a new address. Return the problem if it does not open."""
        handler = _Handler(self.bolt, self.app.token, self.in_flight)
        self._handler = handler
        try:
            async with asyncio.timeout(self.connect_seconds):
                # Asked for here, because the client does not say why Slack gives it none.
                answer = await self.bolt.client.apps_connections_open(app_token=self.app.token)
                handler.client.wss_uri = answer["url"]
                # Bolt's client would take the environment's proxy in spite of NO_PROXY.
                handler.client.proxy = self._proxy = self.app.proxies.of(answer["url"])
                await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt left it untyped
                app_id = await handler.greeting
        except FAILED as error:
            problem = _Problem(code_of(error), may_pass=is_outage(error))
        else:
            if app_id in (self.app.id, None):
                return None
            problem = _Problem(ANOTHER_APP, may_pass=False)
        await self._disconnect()
        return problem

    async def _disconnect(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await handler.close_async()  # type: ignore[no-untyped-call] # Bolt left it untyped
        except (*NO_ANSWER, ConnectionError):
            _abandon(handler.client)
        finally:  # also of a stop in the middle of this
            await handler.client.aiohttp_client_session.close()


class _Problem(NamedTuple):
    """Why a socket does not open, as one word, and whether it may open later."""

    code: str
    may_pass: bool


def _sentence(problem: _Problem, proxy: str | None) -> str:
    if problem.code == ANOTHER_APP:
        return (
            "SLACK_APP_TOKEN is not of the same Slack app as SLACK_BOT_TOKEN: take both from one."
        )
    between = f"the proxy {shown(proxy)} may refuse it" if proxy else "a firewall may stand between"
    return f"Slack's socket does not open ({problem.code}): {between}."


def _abandon(client: SocketModeClient) -> None:
    """End the client's tasks without waiting for the other end."""
    for task in (client.message_processor, client.current_session_monitor, client.message_receiver):
        if task is not None:
            task.cancel()


class _Handler(AsyncSocketModeHandler):
    """Bolt's handler, which ignores late deliveries and counts the others."""

    def __init__(self, bolt: AsyncApp, app_token: str, in_flight: InFlight) -> None:
        super().__init__(bolt, app_token, logger=socket_logger())
        self._in_flight = in_flight
        self.greeting: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        """The id of the app that Slack has connected, as soon as it says hello."""
        self.client.message_listeners.append(self._hear)

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        if not self._in_flight.is_open:
            return
        with self._in_flight.count():
            await super().handle(client, req)  # type: ignore[arg-type] # narrower than its caller's type

    async def _hear(
        self, client: AsyncBaseSocketModeClient, message: dict[str, Any], raw: str | None
    ) -> None:
        if message.get("type") == "hello" and not self.greeting.done():
            self.greeting.set_result((message.get("connection_info") or {}).get("app_id"))
