"""The rules of blocks: keys, lengths and counts, and where each kind may stand.

docs.slack.dev/reference/block-kit/blocks. A header's `level`, from 1 to 4, came in June 2026. Kinds
that are not in the table are refused, whether or not Slack has them. `input` is kept out of
messages, which Slack would allow.
"""

from enum import StrEnum

from bot.playground.workspace.blocks.element_rules import (
    CLICKABLE,
    ELEMENTS,
    FIELDS,
    ID,
    plain,
    text,
)
from bot.playground.workspace.blocks.grammar import (
    Check,
    at_least_one,
    flag,
    kinds,
    many,
    one_of,
    shape,
    string,
    whole,
)
from bot.playground.workspace.blocks.rich_text_rules import RICH_TEXT


class Surface(StrEnum):
    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


EVERYWHERE = frozenset(Surface)
NAMED: dict[str, Check] = {"block_id": ID}
TASK = shape(
    {
        "task_id": string(255),
        "title": string(255),
        "status": one_of("pending", "in_progress", "complete", "error"),
    },
    NAMED,
)

BLOCKS: dict[str, Check] = {
    "actions": shape({"elements": many(kinds(ELEMENTS, *CLICKABLE), 25)}, NAMED),
    "context": shape({"elements": many(text(2000), 10)}, NAMED),
    "divider": shape({}, NAMED),
    "header": shape({"text": plain(150)}, {**NAMED, "level": whole(1, 4)}),
    "input": shape(
        {"label": plain(2000), "element": kinds(ELEMENTS, *FIELDS)},
        {**NAMED, "hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "plan": shape({"title": string(255)}, {**NAMED, "tasks": many(kinds({"task_card": TASK}), 50)}),
    "rich_text": RICH_TEXT,
    "section": shape(
        {},
        {
            **NAMED,
            "text": text(3000),
            "fields": many(text(2000), 10),
            "accessory": kinds(ELEMENTS, *CLICKABLE),
            "expand": flag,
        },
        at_least_one("text", "fields"),
    ),
}

SURFACES: dict[str, frozenset[Surface]] = {
    "input": frozenset({Surface.MODAL, Surface.HOME}),
    "plan": frozenset({Surface.MESSAGE}),
}
"""Where a kind may stand; everywhere, if it is not listed."""

MOST_BLOCKS = {Surface.MESSAGE: 50, Surface.MODAL: 100, Surface.HOME: 100}
VIEW: dict[str, Check] = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
}
MODAL = {
    "submit": plain(24),
    "close": plain(24),
    "submit_disabled": flag,
}
