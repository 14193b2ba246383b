"""HTTP mode: Slack posts everything to one address, signed.

docs.slack.dev/apis/events-api/using-http-request-urls. Nothing of a request is logged but why it
was refused.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import Clock, SignatureVerifier

from bot.storage import signatures as storage
from bot.storage.database import Database
from bot.worker.loops import run_guarded
from handlers.transport import REST_SECONDS, InFlight

log = structlog.get_logger()

PATH = "/slack/events"
OBJECTS = ("channel", "container", "enterprise", "event", "message", "team", "user", "view")
"""Keys that always hold an object: docs.slack.dev/reference/interaction-payloads."""

LARGEST_CHECK = 2048
"""Bytes of a look at the certificate: whatever is longer is not parsed before it is believed."""

LARGEST_BODY = 750_000
"""Bytes. Slack's largest payload comes with a view of 250 kB, the most that Slack takes; as a form
each byte of it takes three at most. docs.slack.dev/reference/views"""

UNVERIFIED_BYTES = 4 * 1024 * 1024
"""Of all bodies together: hundreds of clicks, which have about 20 kB each."""

READ_SECONDS = 3.0
"""How long a body may take to arrive: Slack waits no longer for its answer."""

OLDEST_SECONDS = 300
"""Maximum distance of a timestamp from now, either way: Slack's own advice."""

TIMESTAMP = re.compile(r"[0-9]{1,10}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class TooLarge(Exception):
    """The body is larger than any payload of Slack's."""


@dataclass(kw_only=True, eq=False)
class Bodies:
    """Reads bodies of unverified requests: in time, and within one budget for all.

    Any client that reaches the port can send a body, and all of it is needed to check the
    signature. If bodies exceed the budget together, the largest one is dropped: requests of
    Slack's are small, and come at once.
    """

    largest: int = LARGEST_BODY
    budget: int = UNVERIFIED_BYTES
    seconds: float = READ_SECONDS
    _held: dict[asyncio.Timeout, bytearray] = field(init=False, default_factory=dict, repr=False)

    def check_length(self, request: web.Request) -> None:
        """Check the length in the headers. Raises TooLarge."""
        if (request.content_length or 0) > self.largest:
            raise TooLarge

    async def read(self, request: web.Request) -> bytearray:
        """Return the body. Raises TooLarge, and TimeoutError for one that is too slow or had to
        make room.
        """
        body = bytearray()
        async with asyncio.timeout(self.seconds) as patience:
            self._held[patience] = body
            try:
                while piece := await request.content.readany():
                    body += piece
                    if len(body) > self.largest:
                        raise TooLarge
                    self._make_room()
            finally:
                self._held.pop(patience, None)
        return body

    def _make_room(self) -> None:
        held = {it: len(body) for it, body in self._held.items()}
        over = sum(held.values()) - self.budget
        while over > 0:
            largest = max(held, key=held.__getitem__)
            over -= held.pop(largest)
            del self._held[largest]
            largest.reschedule(asyncio.get_running_loop().time())


class Unsigned(Exception):
    """The request is not to be believed; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The claims of a request's headers, well-formed and in time. Nothing is proven yet."""

    timestamp: str
    signature: str

    @property
    def expires_at(self) -> datetime:
        """When the signature stops being valid."""
        return datetime.fromtimestamp(int(self.timestamp) + OLDEST_SECONDS, UTC)


class Signatures:
    """Checks signatures made with one secret: who sent a request, and how old it is.

    docs.slack.dev/authentication/verifying-requests-from-slack. Bolt does the same, but answers 500
    to a timestamp that is no number, accepts a replay, and prints bodies that are not signed.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        """`clock` tells Unix seconds: real ones, because Slack stamps with real time."""
        self._verifier = SignatureVerifier(secret, clock)
        self._clock = clock

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def read(self, *, timestamp: str, signature: str) -> Signed:
        """Judge the headers, before anything of the body is read. Raises Unsigned."""
        if not TIMESTAMP.fullmatch(timestamp):
            raise Unsigned("no timestamp")
        if abs(self._clock.now() - int(timestamp)) > OLDEST_SECONDS:
            raise Unsigned("a timestamp that is too old or in the future")
        if not SIGNATURE.fullmatch(signature):
            raise Unsigned("no signature")
        return Signed(timestamp=timestamp, signature=signature)

    def verify(self, body: bytes | bytearray, claimed: Signed) -> str:
        """Return the body as text if the signature is of it. Raises Unsigned."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise Unsigned("a body that is not UTF-8") from None
        if not self._verifier.is_valid(text, claimed.timestamp, claimed.signature):
            raise Unsigned("a wrong signature")
        return text


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
            return web.Response(status=HTTPStatus.OK)
        if request.method != "POST":
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        try:
            self.bodies.check_length(request)
            if _may_be_ssl_check(request) and _is_ssl_check(await self.bodies.read(request)):
                return web.Response(status=HTTPStatus.OK)
            claimed = self.signatures.read(
                timestamp=request.headers.get("X-Slack-Request-Timestamp", ""),
                signature=request.headers.get("X-Slack-Signature", ""),
            )
            body = self.signatures.verify(await self.bodies.read(request), claimed)
        except TooLarge:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        except Unsigned as error:
            return _refused(error)
        return await self._taken(claimed, request.headers, request.query_string, body)

    async def _taken(
        self, signed: Signed, headers: Mapping[str, str], query: str, body: str
    ) -> web.Response:
        if not self.in_flight.is_open:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        request = _read(headers, query, body)
        if request is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        answer = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)

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


def _refused(error: Unsigned) -> web.Response:
    log.info("request refused", why=str(error))
    return web.Response(status=HTTPStatus.UNAUTHORIZED)


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
