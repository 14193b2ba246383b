"""Everything that users can see, held to the rules of Slack and to our own."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.registration import Status
from bot.playground.gallery.items import SECRET, Item, items
from bot.playground.gallery.registrations import ID, STATES
from bot.playground.workspace.blocks import walk
from bot.playground.workspace.blocks.check import Surface, problems, view_problems

ITEMS = list(items())
GROUPS = sorted({item.group for item in ITEMS})
LONGEST_TEXT = 4000
"""docs.slack.dev/reference/methods/chat.update"""
MOST_LINES = 12
LONGER = 14
"""With earlier approvals, a reason of several lines, or findings in the tenant."""
OBEYED = re.compile(r"<!(?!date|subteam)|<https://evil|<script|[\u202e\u2066]|:tada:")
"""Parts of the hostile names that Slack or a browser would obey."""
EMPHASIS = re.compile(r"\*b\*|`c`|_i_")
"""Parts of them that are emphasis in a text with markup."""
NOT_SHOWN = ("value", "initial_value", "private_metadata")


def of(group: str) -> list[Item]:
    return [item for item in ITEMS if item.group == group]


def blocks(item: Item) -> list[dict[str, Any]]:
    return list(item.payload["blocks"])


def shown(part: Any, *, is_marked: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every text of a payload that a reader sees or hears, and whether it has markup."""
    if isinstance(part, str):
        yield part, is_marked
    elif isinstance(part, dict):
        for key, value in part.items():
            if key not in NOT_SHOWN:
                yield from shown(value, is_marked=part.get("type") == "mrkdwn")
    elif isinstance(part, list):
        for value in part:
            yield from shown(value)


def height(block: dict[str, Any]) -> int:
    """Count the lines of a block, without buttons and steps at work; fields have two columns."""
    match block["type"]:
        case "actions":
            return 0
        case "section" if "fields" in block:
            return (len(block["fields"]) + 1) // 2
        case "section":
            return int(block["text"]["text"].count("\n")) + 1
        case _:
            return 1


def test_every_item_has_a_name_of_its_own() -> None:
    names = Counter((item.group, item.name) for item in ITEMS)
    assert [name for name, times in names.items() if times > 1] == []
    assert {found.status for found in STATES.values()} == set(Status)


@pytest.mark.parametrize("group", GROUPS)
def test_slack_takes_every_payload(group: str) -> None:
    for item in of(group):
        surface = Surface(item.surface)
        is_message = surface is Surface.MESSAGE
        found = (
            problems(blocks(item), surface) if is_message else view_problems(item.payload, surface)
        )
        assert found == [], item.name


@pytest.mark.parametrize("group", GROUPS)
def test_no_foreign_text_is_obeyed(group: str) -> None:
    for item in of(group):
        for text, is_marked in shown(item.payload):
            assert not OBEYED.search(text), (item.name, text)
            assert not (is_marked and EMPHASIS.search(text)), (item.name, text)


def test_every_message_says_in_its_notification_what_it_is_about() -> None:
    for item in ITEMS:
        if item.surface == "message":
            assert 10 < len(item.payload["text"]) <= LONGEST_TEXT, item.name
            assert SECRET not in item.payload["text"]


def test_a_secret_is_in_the_clear_only_where_it_is_revealed() -> None:
    opened = {item.name for item in ITEMS if SECRET in json.dumps(item.payload)}
    assert len(opened) > 1
    assert all(name.endswith(", revealed") for name in opened)


def test_screen_readers_hear_on_each_button_which_registration_it_is_about() -> None:
    for item in ITEMS:
        for _, element in walk.elements(blocks(item)):
            if element["type"] == "button" and ID in str(element.get("value")):
                label = element["accessibility_label"]
                assert label.startswith(f"{element['text']['text']}: {ID}"), item.name


@pytest.mark.parametrize("group", ["Approvers' card", "Requester's card"])
def test_a_card_has_a_dozen_lines(group: str) -> None:
    counts = {item.name: sum(map(height, blocks(item))) for item in of(group)}
    assert max(counts.values()) <= LONGER
    usual = {name: lines for name, lines in counts.items() if lines > MOST_LINES}
    assert not usual.keys() & {"Approval needed", "Ready", "Denied", "Failed", "Revoked"}, usual
