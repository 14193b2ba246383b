"""Delivery to an app's request URL, signed, for apps that do not use Socket Mode.

docs.slack.dev/authentication/verifying-requests-from-slack; events are sent again after a failure,
with x-slack-retry-num and -reason: docs.slack.dev/apis/events-api.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.retries import EVENT, later
from bot.playground.workspace.sockets import ACK_SECONDS
from bot.playground.workspace.tasks import Tasks
from bot.playground.workspace.wire import Ack, Json
from graph.clock import Clock

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Response:
    """What the app answered, or why there was no answer, in the words of x-slack-retry-reason."""

    status: int = 0
    content_type: str = ""
    body: str = ""
    failure: str = ""


class SignedHttp:
    """Posts what happens to one URL."""

    def __init__(
        self,
        *,
        url: str,
        signing_secret: str,
        record: Record,
        clock: Clock,
        tasks: Tasks,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self._url = url
        self._verifier = SignatureVerifier(signing_secret)
        self._record = record
        self._clock = clock
        self._tasks = tasks
        self._ack_seconds = ack_seconds
        self._latest: tuple[str, dict[str, str]] | None = None

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        """Post a payload and return how the app took it; an event that failed comes again."""
        response = await self._try(kind, payload)
        if kind == EVENT and response.failure:
            response = await self._try(kind, payload, attempt=1, after=response)
            if response.failure:
                self._tasks.start(self._later(payload, response, self._clock.now()))
        return _ack(kind, response)

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
                    failure="" if response.status < HTTPStatus.MULTIPLE_CHOICES else "http_error",
                )
        except TimeoutError:
            return Response(failure="http_timeout")
        except aiohttp.ClientConnectionError:
            return Response(failure="connection_failed")

    async def _later(self, payload: Json, response: Response, failed: datetime) -> None:
        async for attempt in later(self._clock, failed):
            response = await self._try(EVENT, payload, attempt=attempt, after=response)
            if not response.failure:
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
        response = await self.send(*self._latest)
        sent = {"type": kind, "payload": payload, **retry}
        self._record.add(Kind.DELIVERY, kind, sent, {"status": response.status})
        return response

    def _headers(self, content_type: str, body: str) -> dict[str, str]:
        """Sign it: apps compare the time with their own real one, so no movable clock here."""
        stamp = str(int(self._verifier.clock.now()))
        signature = self._verifier.generate_signature(timestamp=stamp, body=body)
        return {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature or "",
        }


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
