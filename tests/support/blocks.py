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


def row(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def actions(*labels: str) -> Json:
    return row(*map(button, labels))


def choice(type: str, *words: str, **more: object) -> Json:
    """Return a menu or checkboxes."""
    options = [{"text": plain(word), "value": word.lower()} for word in words]
    return {"type": type, "action_id": "pick", "options": options, **more}


def field(label: str, element: Json, **more: object) -> Json:
    return {
        "type": "input",
        "block_id": label.lower(),
        "label": plain(label),
        "element": element,
        **more,
    }


def text_input(label: str, **more: object) -> Json:
    return field(label, {"type": "plain_text_input", "action_id": "typed", **more})


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
