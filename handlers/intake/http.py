"""HTTP mode: Slack posts everything to one address, signed.

docs.slack.dev/apis/events-api/using-http-request-urls. Nothing of a request is logged but why it
was refused.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.bell import survive
from handlers.intake import REST_SECONDS
from handlers.intake.signature import Signatures, Unsigned
from handlers.intake.traffic import Traffic

log = structlog.get_logger()

PATH = "/slack/events"
OBJECTS = ("channel", "container", "enterprise", "event", "message", "team", "user", "view")
"""What is an object in every payload that has it: docs.slack.dev/reference/interaction-payloads."""

LARGEST_CHECK = 2048
"""Bytes of a look at the certificate: whatever is longer is not parsed before it is believed."""

READ_SECONDS = 3.0
"""How long a body may take to arrive: Slack waits no longer for its answer."""


class Http:
    """Takes requests while it is open. Whoever serves the port calls `handle`."""

    def __init__(self, bolt: AsyncApp, *, signatures: Signatures) -> None:
        self._bolt = bolt
        self._signatures = signatures
        self._traffic = Traffic()

    async def start(self) -> None:
        self._traffic.is_open = True

    async def is_up(self) -> bool:
        return self._traffic.is_open

    async def stop(self) -> None:
        self._traffic.is_open = False
        if left := await self._traffic.drained(REST_SECONDS):
            log.warning("stopped before these requests were answered", requests=left)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to PATH."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _nothing(HTTPStatus.REQUEST_TIMEOUT)
        if _is_ssl_check(request, body):
            return _nothing(HTTPStatus.OK)
        if request.method != "POST":
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        signature = request.headers.get("X-Slack-Signature", "")
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        try:
            self._signatures.accept(body, timestamp=timestamp, signature=signature)
        except Unsigned as error:
            log.info("request refused", why=str(error))
            return _nothing(HTTPStatus.UNAUTHORIZED)
        answer = await self._taken(request.headers, request.query_string, body)
        if answer.status != HTTPStatus.OK:
            self._signatures.forget(signature)
        return answer

    async def _taken(self, headers: Mapping[str, str], query: str, body: bytes) -> web.Response:
        if not self._traffic.is_open:
            return _nothing(HTTPStatus.SERVICE_UNAVAILABLE)
        request = _read(headers, query, body)
        if request is None:
            return _nothing(HTTPStatus.BAD_REQUEST)
        with self._traffic.one():
            return await self._dispatch(request)

    async def _dispatch(self, request: AsyncBoltRequest) -> web.Response:
        answer = _nothing(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def dispatch() -> None:
            nonlocal answer
            answer = await to_aiohttp_response(await self._bolt.async_dispatch(request))

        await survive("a request of Slack", dispatch)
        return answer


def _nothing(status: HTTPStatus) -> web.Response:
    return web.Response(status=status)


def _is_ssl_check(request: web.Request, body: bytes) -> bool:
    """Whether Slack only looks at the certificate, which it does without a signature.

    docs.slack.dev/interactivity/implementing-slash-commands
    """
    if request.query.get("ssl_check") == "1":
        return True
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if not is_form or len(body) > LARGEST_CHECK:
        return False
    return parse_qs(body.decode("latin-1")).get("ssl_check") == ["1"]


def _read(headers: Mapping[str, str], query: str, body: bytes) -> AsyncBoltRequest | None:
    """Return the request as Bolt knows it, or None for what is no payload."""
    try:
        request = AsyncBoltRequest(body=body.decode(), query=query, headers=dict(headers))
    except (ValueError, AttributeError, TypeError, RecursionError):
        # Bolt expects JSON objects with objects inside, and asks nobody whether they are.
        return None
    inside = (request.body.get(name) for name in OBJECTS)
    return request if all(isinstance(it, dict | None) for it in inside) else None
