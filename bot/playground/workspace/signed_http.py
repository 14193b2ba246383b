"""Delivery to an app's request URL, signed, for apps that do not use Socket Mode.

docs.slack.dev/authentication/verifying-requests-from-slack; events are sent again after a failure,
with x-slack-retry-num and -reason: docs.slack.dev/apis/events-api.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

import aiohttp

from bot.playground.workspace.acks import Acks
from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.retries import EVENT, later
from bot.playground.workspace.signing import Forgery, signed
from bot.playground.workspace.sockets import ACK_SECONDS
from bot.playground.workspace.tasks import Tasks
from bot.playground.workspace.wire import Ack, CannotAct, Json
from graph.clock import Clock

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Response:
    """What the app answered, or why there was no answer, in the words of x-slack-retry-reason."""

    status: int = 0
    content_type: str = ""
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def no_retry(self) -> bool:
        return self.headers.get("x-slack-no-retry") == "1"


class SignedHttp:
    """Posts what happens to one URL. `forgery` sends what an attacker would instead."""

    def __init__(
        self,
        *,
        url: str,
        signing_secret: str,
        record: Record,
        clock: Clock,
        tasks: Tasks,
        acks: Acks,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self.forgery: Forgery | None = None
        self._url = url
        self._signing_secret = signing_secret
        self._record = record
        self._clock = clock
        self._tasks = tasks
        self._acks = acks
        self._ack_seconds = ack_seconds
        self._latest: tuple[str, dict[str, str]] | None = None

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        """Post a payload and return how the app took it; an event that failed comes again."""
        response = await self._try(kind, payload)
        if kind == EVENT and _to_be_retried(response):
            response = await self._try(kind, payload, attempt=1, after=response)
            if _to_be_retried(response):
                self._tasks.start(self._later(payload, response, self._clock.now()))
        return _ack(kind, response)

    async def verify(self, challenge: str = "a challenge") -> bool:
        """Ask the app to prove that the URL is its own: …/reference/events/url_verification."""
        body = json.dumps(
            {"type": "url_verification", "token": "deprecated", "challenge": challenge}
        )
        response = await self.send(body, self._headers(JSON, body))
        if response.status != HTTPStatus.OK:
            return False
        if response.content_type == JSON:
            return bool(json.loads(response.body) == {"challenge": challenge})
        return response.body == challenge

    async def replay(self) -> int:
        """Send the latest delivery again, byte for byte; return the app's status."""
        if self._latest is None:
            raise CannotAct("Nothing has been delivered yet.")
        return (await self.send(*self._latest)).status

    async def send(self, body: str, headers: dict[str, str]) -> Response:
        """Post anything at all to the app's URL. Redirects are not followed."""
        try:
            async with (
                asyncio.timeout(self._ack_seconds),
                aiohttp.ClientSession() as session,
                session.post(
                    self._url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return Response(
                    status=response.status,
                    content_type=response.content_type,
                    body=await response.text(),
                    headers={key.lower(): value for key, value in response.headers.items()},
                    failure="" if response.status < HTTPStatus.MULTIPLE_CHOICES else "http_error",
                )
        except TimeoutError:
            return Response(failure="http_timeout")
        except aiohttp.ClientConnectionError:
            return Response(failure="connection_failed")

    async def _later(self, payload: Json, response: Response, failed: datetime) -> None:
        async for attempt in later(self._clock, failed):
            response = await self._try(EVENT, payload, attempt=attempt, after=response)
            if not _to_be_retried(response):
                return

    async def _try(
        self, kind: str, payload: Json, *, attempt: int = 0, after: Response | None = None
    ) -> Response:
        content_type, body = _encoded(kind, payload)
        headers = self._headers(content_type, body)
        retry = (
            {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": after.failure}
            if after
            else {}
        )
        self._latest = (body, headers | retry)
        with self._acks.timed(kind):
            response = await self.send(*self._latest)
        sent = {"type": kind, "payload": payload, **retry}
        self._record.add(Kind.DELIVERY, kind, sent, {"status": response.status})
        return response

    def _headers(self, content_type: str, body: str) -> dict[str, str]:
        return {"Content-Type": content_type, **signed(self._signing_secret, body, self.forgery)}


def _to_be_retried(response: Response) -> bool:
    return bool(response.failure) and not response.no_retry


def _encoded(kind: str, payload: Json) -> tuple[str, str]:
    match kind:
        case "slash_commands":
            return FORM, urlencode(payload)
        case "interactive":
            return FORM, urlencode({"payload": json.dumps(payload)})
        case _:
            return JSON, json.dumps(payload)


def _ack(kind: str, response: Response) -> Ack:
    if response.failure == "http_timeout":
        return Ack(error="operation_timeout")
    if response.failure or (kind != EVENT and response.status != HTTPStatus.OK):
        return Ack(error="dispatch_failed")
    if not response.body or kind == EVENT:
        return Ack()
    if response.content_type == JSON:
        return Ack(payload=json.loads(response.body))
    return Ack(payload={"text": response.body})
