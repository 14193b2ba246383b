"""Answers to a click by its `response_url`, the only way to change an ephemeral message.

Five uses within 30 minutes: docs.slack.dev/interactivity/handling-user-interaction
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog

from bot.addresses import is_here, is_slack
from bot.registration import Refusal
from handlers.views.words import Blocks

log = structlog.get_logger()

ANSWER_SECONDS = 1.5


def check(url: str) -> None:
    """Raise Refusal if a click's answer would go anywhere but to Slack."""
    if not is_slack(url):
        raise Refusal("This click did not come from Slack, so it was ignored.")


def url_of(body: Mapping[str, Any]) -> str:
    """Return where a click is answered. Raises Refusal for one that did not come from a message."""
    url = body.get("response_url")
    if not isinstance(url, str):
        raise Refusal("This works in messages only: type `/aad-setup values` with the id.")
    check(url)
    return url


def check_is_for_one(body: Mapping[str, Any], id: str) -> None:
    """Raise Refusal unless what was clicked is seen by nobody else: an answer in its place would be
    read by the whole channel, and kept.
    """
    container = body.get("container")
    if not isinstance(container, Mapping) or container.get("is_ephemeral") is not True:
        raise Refusal(
            "This works only in a message that nobody but you sees:"
            f" type `/aad-setup values {id}` and press the button there."
        )


class Answers:
    """Posts to response_urls, which work without a token and so count as secrets."""

    def __init__(self, session: aiohttp.ClientSession, *, api_url: str) -> None:
        """`api_url` is where Slack's methods are: only a workspace on this machine answers here."""
        self._session = session
        self._is_here = is_here(api_url)

    async def replace(self, url: str, *, text: str, blocks: Blocks) -> bool:
        """Put this in the place of the message that was clicked. True if Slack took it."""
        return await self._post(url, {"replace_original": True, "text": text, "blocks": blocks})

    async def add(self, url: str, *, text: str, blocks: Blocks | None = None) -> bool:
        """Show this to whoever clicked, and to nobody else. True if Slack took it."""
        body = {"replace_original": False, "response_type": "ephemeral", "text": text}
        return await self._post(url, body | ({"blocks": blocks} if blocks else {}))

    async def _post(self, url: str, body: dict[str, object]) -> bool:
        if not is_slack(url) or (is_here(url) and not self._is_here):
            log.error("response_url refused: not Slack's")
            return False
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._session.post(url, json=body, allow_redirects=False) as answer,
            ):
                taken = answer.status == 200 and '"ok":false' not in await answer.text()
        except (TimeoutError, aiohttp.ClientError) as error:
            log.warning("answer to a click was lost", type=type(error).__name__)
            return False
        if not taken:
            log.warning("answer to a click was not taken", status=answer.status)
        return taken
