"""HTTP mode: Slack posts everything to one address, signed.

docs.slack.dev/apis/events-api/using-http-request-urls. Nothing of a request is logged but why it
was refused.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.storage import signatures as storage
from bot.storage.database import Database
from bot.worker.loops import run_guarded
from handlers.transport import REST_SECONDS, InFlight
from handlers.transport.bodies import Bodies, TooLarge
from handlers.transport.signature import Signatures, Signed, Unsigned

log = structlog.get_logger()

PATH = "/slack/events"
OBJECTS = ("channel", "container", "enterprise", "event", "message", "team", "user", "view")
"""Keys that always hold an object: docs.slack.dev/reference/interaction-payloads."""

LARGEST_CHECK = 2048
"""Bytes of a look at the certificate: whatever is longer is not parsed before it is believed."""


@dataclass(eq=False)
class Http:
    """Accepts requests while it is open. The HTTP server calls `handle`."""

    bolt: AsyncApp
    _: KW_ONLY
    signatures: Signatures
    database: Database
    in_flight: InFlight
    bodies: Bodies = field(default_factory=Bodies)

    async def start(self) -> None:
        self.in_flight.is_open = True

    async def is_up(self) -> bool:
        return self.in_flight.is_open

    async def stop(self) -> None:
        self.in_flight.is_open = False
        if left := await self.in_flight.drained(REST_SECONDS):
            log.warning("stopped before these requests were answered", requests=left)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to PATH. Its body is read only if its headers are in order."""
        if request.query.get("ssl_check") == "1":
            return _nothing(HTTPStatus.OK)
        if request.method != "POST":
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        try:
            self.bodies.check_length(request)
            if _may_be_ssl_check(request) and _is_ssl_check(await self.bodies.read(request)):
                return _nothing(HTTPStatus.OK)
            claimed = self.signatures.read(
                timestamp=request.headers.get("X-Slack-Request-Timestamp", ""),
                signature=request.headers.get("X-Slack-Signature", ""),
            )
            body = self.signatures.verify(await self.bodies.read(request), claimed)
        except TooLarge:
            return _nothing(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except TimeoutError:
            return _nothing(HTTPStatus.REQUEST_TIMEOUT)
        except Unsigned as error:
            return _refused(error)
        return await self._taken(claimed, request.headers, request.query_string, body)

    async def _taken(
        self, signed: Signed, headers: Mapping[str, str], query: str, body: str
    ) -> web.Response:
        if not self.in_flight.is_open:
            return _nothing(HTTPStatus.SERVICE_UNAVAILABLE)
        request = _read(headers, query, body)
        if request is None:
            return _nothing(HTTPStatus.BAD_REQUEST)
        answer = _nothing(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def take() -> None:
            nonlocal answer
            answer = await self._once(signed, request)

        with self.in_flight.count():
            await run_guarded("a request of Slack", take)
        return answer

    async def _once(self, signed: Signed, request: AsyncBoltRequest) -> web.Response:
        """Dispatch the request, unless its signature was accepted before.

        Also after an error, which may follow an effect. Slack signs a repeated request again.
        """
        async with self.database.transaction() as tx:
            is_new = await storage.accept(
                tx, signed.signature, expires_at=signed.expires_at, now=self.signatures.now
            )
        if not is_new:
            return _refused(Unsigned("a signature that was used before"))
        return await to_aiohttp_response(await self.bolt.async_dispatch(request))


def _nothing(status: HTTPStatus) -> web.Response:
    return web.Response(status=status)


def _refused(error: Unsigned) -> web.Response:
    log.info("request refused", why=str(error))
    return _nothing(HTTPStatus.UNAUTHORIZED)


def _may_be_ssl_check(request: web.Request) -> bool:
    """Whether this may be a look at the certificate, which Slack sends without a signature.

    docs.slack.dev/interactivity/implementing-slash-commands
    """
    is_form = request.content_type == "application/x-www-form-urlencoded"
    is_signed = "X-Slack-Signature" in request.headers
    return (
        is_form and not is_signed and (request.content_length or LARGEST_CHECK + 1) <= LARGEST_CHECK
    )


def _is_ssl_check(body: bytearray) -> bool:
    return parse_qs(body.decode("latin-1")).get("ssl_check") == ["1"]


def _read(headers: Mapping[str, str], query: str, body: str) -> AsyncBoltRequest | None:
    """Return the request as Bolt knows it, or None if it is no payload."""
    try:
        request = AsyncBoltRequest(body=body, query=query, headers=dict(headers))
    except (ValueError, AttributeError, TypeError, RecursionError):
        # Bolt expects JSON objects with objects inside, and does not check that.
        return None
    inside = (request.body.get(name) for name in OBJECTS)
    return request if all(isinstance(it, dict | None) for it in inside) else None
