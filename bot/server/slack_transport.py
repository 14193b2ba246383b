"""The transport that the settings choose, Socket Mode or HTTP, and its route at PORT."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import Clock
from slack_sdk.web.async_client import AsyncWebClient

from bot.server import http_server
from bot.server.http_server import Health, Routes
from bot.services import Services
from bot.settings.settings import Settings
from handlers.slack.users import Installed
from handlers.transport import InFlight, Transport, http
from handlers.transport.http import Http, Signatures
from handlers.transport.socket_mode import SocketApp, SocketMode

log = structlog.get_logger()


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
    *,
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
        self._settings = settings
        self._http: Http | None = None

    @asynccontextmanager
    async def opened(self, health: Health, *, others: Routes) -> AsyncIterator[Health]:
        """Answer at PORT while inside, at the other paths, too. Raises CannotStart."""
        at, port = self._settings.bind_address, self._settings.port
        slack = {http.PATH: self._handle} if self._settings.slack_signing_secret else {}
        routes = {**slack, **others}
        async with http_server.opened(at, port, health=health, routes=routes):
            yield health

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
