"""Delivery to an app's request URL, signed, for apps that do not use Socket Mode.

docs.slack.dev/authentication/verifying-requests-from-slack; events are sent again after a failure,
with x-slack-retry-num and -reason: docs.slack.dev/apis/events-api.
"""

import asyncio
import json
from http import HTTPStatus
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.sockets import ACK_SECONDS
from bot.playground.workspace.wire import Ack, Json

FORM = "application/x-www-form-urlencoded"


class SignedHttp:
    """Posts what happens to one URL."""

    def __init__(self, *, url: str, signing_secret: str, record: Record) -> None:
        self._url = url
        self._verifier = SignatureVerifier(signing_secret)
        self._record = record

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        tries = 2 if kind == "events_api" else 1
        for attempt in range(tries):
            ack = await self._post(kind, payload, attempt)
            self._record.add(Kind.DELIVERY, kind, {"type": kind, "payload": payload})
            if ack.error is None:
                break
        return ack

    async def _post(self, kind: str, payload: Json, attempt: int) -> Ack:
        content_type, body = _encoded(kind, payload)
        headers = {"Content-Type": content_type, **self._signature(body)}
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": "http_error"}
        try:
            async with (
                asyncio.timeout(ACK_SECONDS),
                aiohttp.ClientSession() as session,
                session.post(self._url, data=body, headers=headers) as response,
            ):
                return _ack(response.status, response.content_type, await response.text())
        except TimeoutError:
            return Ack(error="operation_timeout")
        except aiohttp.ClientConnectionError:
            return Ack(error="dispatch_failed")

    def _signature(self, body: str) -> dict[str, str]:
        # Apps compare the timestamp with their own real time, so the movable clock stays out.
        stamp = str(int(self._verifier.clock.now()))
        signature = self._verifier.generate_signature(timestamp=stamp, body=body)
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature or ""}


def _encoded(kind: str, payload: Json) -> tuple[str, str]:
    match kind:
        case "slash_commands":
            return FORM, urlencode(payload)
        case "interactive":
            return FORM, urlencode({"payload": json.dumps(payload)})
        case _:
            return "application/json", json.dumps(payload)


def _ack(status: int, content_type: str, body: str) -> Ack:
    if status != HTTPStatus.OK:
        return Ack(error="dispatch_failed")
    if not body:
        return Ack()
    if content_type == "application/json":
        return Ack(payload=json.loads(body))
    return Ack(payload={"text": body})
