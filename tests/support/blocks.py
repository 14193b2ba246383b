"""Blocks and views that several tests show, as small as they can be."""

from collections.abc import Awaitable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.playground.workspace.wire import Json


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(label: str, **more: object) -> Json:
    return {"type": "button", "action_id": label.lower(), "text": plain(label), **more}


def actions(*labels: str) -> Json:
    return {"type": "actions", "elements": [button(label) for label in labels]}


def text_input(label: str, **more: object) -> Json:
    element = {"type": "plain_text_input", "action_id": "typed", **more}
    return {"type": "input", "block_id": label.lower(), "label": plain(label), "element": element}


def modal(*blocks: Json, **more: object) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("Form"),
        "submit": plain("Send"),
        "blocks": list(blocks),
        **more,
    }


async def error_of(call: Awaitable[Any]) -> str:
    """Return Slack's word for why this call failed."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])
