"""Reads what an app wants to say, from a method's arguments, an ack or a post to a response_url."""

from bot.playground.workspace.blocks import walk
from bot.playground.workspace.blocks.check import Surface, problems
from bot.playground.workspace.ids import Ids
from bot.playground.workspace.messages import Content
from bot.playground.workspace.wire import ApiError, Json

TEXT_LIMIT = 40_000
"""Longer texts are cut: docs.slack.dev/changelog/2018-04-truncating-really-long-messages."""


def read(arguments: Json, ids: Ids) -> Content:
    """Return the content, checked; raise ApiError for what Slack would not take."""
    text = arguments.get("text") or ""
    blocks = checked_blocks(arguments.get("blocks"))
    if not (text or blocks):
        raise ApiError("no_text")
    return Content(
        text=text[:TEXT_LIMIT],
        blocks=tuple(walk.named(blocks, ids)),
        metadata=checked_metadata(arguments.get("metadata")),
    )


def checked_blocks(blocks: object) -> list[Json]:
    if not blocks:
        return []
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    if found := problems(blocks, Surface.MESSAGE):
        raise ApiError("invalid_blocks", *found)
    return blocks


def checked_metadata(metadata: object) -> Json | None:
    """docs.slack.dev/messaging/message-metadata"""
    if not metadata:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        raise ApiError("invalid_metadata_format")
    if not isinstance(metadata["event_payload"], dict):
        raise ApiError("invalid_metadata_schema")
    return metadata
