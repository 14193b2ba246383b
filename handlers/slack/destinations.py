"""Where the bot writes, checked for who would read it: the approval channel, and answers to clicks.

Members may share or open the approval channel after the bot has started: it is looked at before
each post and once a day. A `response_url` is the only way to change an ephemeral message, five
times within 30 minutes: docs.slack.dev/interactivity/handling-user-interaction
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Refusal
from bot.worker.loops import Loop
from graph.clock import Clock
from graph.http import Proxies
from handlers.slack.api_errors import ADVICE, FAILED, NO_ANSWER, SHARED
from handlers.views.ui import Blocks, said

log = structlog.get_logger()

DAILY = timedelta(days=1)
RECENTLY = timedelta(seconds=5)
"""Maximum age of a check before an update: Slack limits these checks as much as updates."""
LOOK_EVERY_SECONDS = 60.0
"""How often the loop looks whether a day has passed."""
ANSWER_SECONDS = 1.5
LARGEST_ANSWER = 4096
"""Bytes. Slack says `ok` or gives a word for its error."""


class ChannelShared(Exception):
    """People of another organization read the approval channel, or are invited to."""


def is_shared(channel: Mapping[str, Any]) -> bool:
    """docs.slack.dev/apis/slack-connect"""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))


def warn_if_public(channel: Mapping[str, Any]) -> None:
    """Log that every member can read the plans. It is allowed: nothing secret is in them."""
    if channel.get("is_private") is False:
        log.warning(
            "the approval channel is public",
            channel=channel.get("id"),
            advice="Every member can read the plans there. Make it private if they should not.",
        )


class ApprovalChannel:
    """Asks Slack about one channel."""

    def __init__(self, *, client: AsyncWebClient, channel: str, clock: Clock) -> None:
        self.id = channel
        self._client = client
        self._clock = clock
        self._look_at = clock.now() + DAILY  # the start has looked
        self._is_shared = False
        self._asked_at = clock.now() - DAILY
        self.loop = Loop("channel", self.look, every=LOOK_EVERY_SECONDS)

    async def check(self, *, within: timedelta = timedelta(0)) -> None:
        """Raise ChannelShared if others can read along, and whatever the call to Slack raises.

        Slack is not asked again within that time.
        """
        if self._clock.now() - self._asked_at >= within:
            await self._read()
        if self._is_shared:
            raise ChannelShared

    async def look(self) -> None:
        """Check the channel if a day has passed, and log problems."""
        if self._clock.now() < self._look_at:
            return
        self._look_at = self._clock.now() + DAILY
        try:
            channel = await self._read()
        except FAILED as error:
            log.warning("approval channel not looked at", type=type(error).__name__)
            return
        warn_if_public(channel)
        if is_shared(channel):
            log.error("messages cannot be shown", channel=self.id, advice=ADVICE[SHARED])

    async def _read(self) -> Mapping[str, Any]:
        asked_at = self._clock.now()
        answer = await self._client.conversations_info(channel=self.id)
        channel: Mapping[str, Any] = answer["channel"]
        self._is_shared, self._asked_at = is_shared(channel), asked_at
        return channel


def check_is_for_one(body: Mapping[str, Any], id: str) -> None:
    """Raise Refusal unless the clicked message is ephemeral: the whole channel would read an answer
    in its place, and Slack would keep it.
    """
    container = body.get("container")
    if not isinstance(container, Mapping) or container.get("is_ephemeral") is not True:
        raise Refusal(
            "This works only in a message that only you can see:"
            f" type `/aad-setup values {id}` and press the button there."
        )


@dataclass(eq=False)
class ResponseUrls:
    """Posts to response_urls, which work without a token and so count as secrets."""

    session: aiohttp.ClientSession
    _: KW_ONLY
    accepted: re.Pattern[str]
    """Matches those of this workspace and its organization: only they are answered."""
    proxies: Proxies

    def url_of(self, body: Mapping[str, Any]) -> str:
        """Return where a click is answered. Raises Refusal for one outside a message of ours."""
        url = body.get("response_url")
        if not isinstance(url, str):
            raise Refusal("This works in messages only: type `/aad-setup values` with the id.")
        if not self.accepted.fullmatch(url):
            raise Refusal("This click did not come from Slack, so it was ignored.")
        return url

    async def replace(self, url: str, *, text: str, blocks: Blocks) -> bool:
        """Replace the message that was clicked. Return True only if Slack says that it did."""
        return await self._post(url, {"replace_original": True, "text": text, "blocks": blocks})

    async def add(self, url: str, *, text: str, blocks: Blocks | None = None) -> bool:
        """Show this to the person who clicked only. Return True only if Slack says that it did."""
        body = {"replace_original": False, "response_type": "ephemeral", "text": text}
        return await self._post(url, {**body, "blocks": blocks or said(text)})

    async def _post(self, url: str, body: dict[str, object]) -> bool:
        """Return whether it was shown. Without a clear yes it is unknown, so that is not a yes."""
        if not self.accepted.fullmatch(url):
            log.error("response_url refused: not of this workspace in Slack")
            return False
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self.session.post(
                    url, json=body, allow_redirects=False, proxy=self.proxies.of(url)
                ) as answer,
            ):
                said = await _beginning(answer.content)
        except NO_ANSWER as error:
            log.warning("answer to a click was lost", type=type(error).__name__)
            return False
        taken = answer.status == HTTPStatus.OK and _is_yes(said)
        if not taken:
            log.warning("answer to a click was not taken", status=answer.status, empty=not said)
        return taken


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return the body, or the beginning of one that is longer than any answer of Slack's."""
    said = b""
    while len(said) <= LARGEST_ANSWER and (piece := await content.read(LARGEST_ANSWER)):
        said += piece
    return said


def _is_yes(said: bytes) -> bool:
    """Whether Slack says that it took a post: `ok`, or JSON in which `ok` is true."""
    if said.strip() == b"ok":
        return True
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("ok") is True
