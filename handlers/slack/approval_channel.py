"""The approval channel: who can read plans there, looked at before each post and once a day.

Members may share or open the channel after the bot has started.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.worker.loops import Loop
from graph.clock import Clock
from handlers.slack.api_errors import ADVICE, FAILED, SHARED

log = structlog.get_logger()

DAILY = timedelta(days=1)
RECENTLY = timedelta(seconds=5)
"""Maximum age of a check before an update: Slack limits these checks as much as updates."""
LOOK_EVERY_SECONDS = 60.0
"""How often the loop looks whether a day has passed."""


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
