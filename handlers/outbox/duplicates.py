"""Duplicates: find a post whose answer was lost, and refuse clicks in copies of a message.

Slack has no idempotency keys: after a crash or a lost answer it is unknown whether a message was
posted. In direct messages the bot may read its own posts, and finds one by its metadata. In
channels it may not: there buttons name their message, and a click in a copy decides nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Refusal
from bot.registrar import Registrar
from bot.storage.messages import Message
from handlers.slack.api_errors import code_of
from handlers.views.blocks import Blocks

log = structlog.get_logger()

Json = dict[str, Any]

EVENT_TYPE = "aad_setup_message"
LOOKED_AT = 100
"""How many of the latest direct messages are read: it was posted a few minutes ago at most."""
ID = re.compile(r"([0-9a-f]{32}):[0-9]+")
PLACE = re.compile(r"[A-Z0-9]{1,32}"), re.compile(r"[0-9.]{1,32}")


class Duplicate(Refusal):
    """A user clicked in a copy of a message. Its text replaces the copy."""


def metadata_of(message: Message) -> Json:
    """Return the metadata that identifies a post. Other apps may read it: it holds an id only."""
    return {"event_type": EVENT_TYPE, "event_payload": {"message": message.id}}


def named(blocks: Blocks, message: Message) -> Blocks:
    """Return the blocks with the message's id on each that holds buttons."""
    return [
        block | ({"block_id": f"{message.id}:{n}"} if block["type"] == "actions" else {})
        for n, block in enumerate(blocks)
    ]


async def posted_before(
    client: AsyncWebClient, message: Message, *, bot_id: str
) -> tuple[str, str] | None:
    """Return channel and ts of a post whose answer was lost, if it can be found. Delete others."""
    if message.audience[:1] not in ("U", "W") or message.tries <= 1:
        return None
    try:
        opened = await client.conversations_open(users=message.audience)
        channel = str(opened["channel"]["id"])
        answer = await client.conversations_history(
            channel=channel, limit=LOOKED_AT, include_all_metadata=True
        )
        found = [str(it["ts"]) for it in answer["messages"] if is_copy(it, message, bot_id=bot_id)]
        for ts in found[1:]:
            await client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        log.warning("direct messages not read", message=message.id, code=code_of(error))
        return None
    return (channel, found[0]) if found else None


async def check_counts(body: Mapping[str, Any], registrar: Registrar) -> None:
    """Raise Duplicate for a click in a message that is not the one in storage."""
    container = body.get("container")
    if not isinstance(container, Mapping) or container.get("type") != "message":
        return
    if container.get("is_ephemeral") is True:
        return
    actions = body.get("actions") or [{}]
    message = ID.fullmatch(str(actions[0].get("block_id")))
    channel, ts = str(container.get("channel_id")), str(container.get("message_ts"))
    if message is None or not (PLACE[0].fullmatch(channel) and PLACE[1].fullmatch(ts)):
        return
    if not await registrar.deliveries.is_at(message[1], channel=channel, ts=ts):
        raise Duplicate(
            "This message was posted twice, and this copy does not count: nothing was done."
            " Use the other one, which is here in this conversation."
        )


def is_copy(post: Mapping[str, Any], message: Message, *, bot_id: str) -> bool:
    """Whether the bot has posted this message there. Other apps may post the same metadata."""
    metadata = post.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    is_same = metadata.get("event_type") == EVENT_TYPE and payload.get("message") == message.id
    return is_same and post.get("bot_id") == bot_id
