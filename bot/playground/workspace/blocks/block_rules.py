"""The rules of blocks: keys, lengths and counts, and where each kind may stand.

docs.slack.dev/reference/block-kit/blocks. Kinds that are not in the table are refused, whether or
not Slack has them. `input` is kept out of messages, which Slack would allow.
"""

from enum import StrEnum

from bot.playground.workspace.blocks.element_rules import (
    ANY,
    BUTTONS,
    CHOOSERS,
    ELEMENTS,
    ID,
    MENUS,
    MULTI_MENUS,
    TEXTS,
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
)
from bot.playground.workspace.blocks.rich_text_rules import RICH_TEXT


class Surface(StrEnum):
    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


EVERYWHERE = frozenset(Surface)
NAMED: dict[str, Check] = {"block_id": ID}
RICH = kinds({"rich_text": RICH_TEXT})
SOURCE = shape({"url": string(3000), "text": string(255)})
TASK = shape(
    {
        "task_id": string(255),
        "title": string(255),
        "status": one_of("pending", "in_progress", "complete", "error"),
    },
    {**NAMED, "details": RICH, "output": RICH, "sources": many(SOURCE, 10)},
)
CELL = kinds(
    {
        "raw_text": shape({"text": string(ANY, 0)}),
        "raw_number": shape({"value": lambda value, spot: None}, {"text": string(ANY)}),
        "rich_text": RICH_TEXT,
    }
)
COLUMN = shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": flag})

BLOCKS: dict[str, Check] = {
    "actions": shape({"elements": many(kinds(ELEMENTS, *BUTTONS, *MENUS, *CHOOSERS), 25)}, NAMED),
    "alert": shape(
        {"text": text(3000)},
        {**NAMED, "level": one_of("default", "info", "warning", "error", "success")},
    ),
    "context": shape(
        {
            "elements": many(
                kinds(
                    {
                        "image": ELEMENTS["image"],
                        "mrkdwn": text(2000),
                        "plain_text": text(2000),
                    }
                ),
                10,
            )
        },
        NAMED,
    ),
    "divider": shape({}, NAMED),
    "header": shape({"text": plain(150)}, NAMED),
    "image": shape(
        {"alt_text": string(2000), "image_url": string(3000)}, {**NAMED, "title": plain(2000)}
    ),
    "input": shape(
        {
            "label": plain(2000),
            "element": kinds(ELEMENTS, *MENUS, *MULTI_MENUS, *CHOOSERS, *TEXTS),
        },
        {**NAMED, "hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "markdown": shape({"text": string(12_000)}, NAMED),
    "plan": shape({"title": string(255)}, {**NAMED, "tasks": many(kinds({"task_card": TASK}), 50)}),
    "rich_text": RICH_TEXT,
    "section": shape(
        {},
        {
            **NAMED,
            "text": text(3000),
            "fields": many(text(2000), 10),
            "accessory": kinds(ELEMENTS, "image", *BUTTONS, *MENUS, *MULTI_MENUS, *CHOOSERS),
            "expand": flag,
        },
        at_least_one("text", "fields"),
    ),
    "table": shape(
        {"rows": many(many(CELL, 20), 100)}, {**NAMED, "column_settings": many(COLUMN, 20)}
    ),
    "task_card": TASK,
}

SURFACES: dict[str, frozenset[Surface]] = {
    "alert": frozenset({Surface.MODAL}),
    "input": frozenset({Surface.MODAL, Surface.HOME}),
    "markdown": frozenset({Surface.MESSAGE}),
    "plan": frozenset({Surface.MESSAGE}),
    "table": frozenset({Surface.MESSAGE, Surface.HOME}),
    "task_card": frozenset({Surface.MESSAGE}),
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
    "clear_on_close": flag,
    "notify_on_close": flag,
    "submit_disabled": flag,
}
