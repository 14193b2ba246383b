"""The rules of block elements and of the objects in them: texts, options, confirm dialogs.

docs.slack.dev/reference/block-kit/block-elements, …/composition-objects
"""

from bot.playground.workspace.blocks.grammar import (
    Check,
    Spot,
    flag,
    kinds,
    many,
    one_of,
    shape,
    string,
    whole,
)
from bot.playground.workspace.wire import Json

ID = string(255)
ANY = 250_000
"""As long as the whole view may be: for strings without a limit of their own."""


def text(most: int) -> Check:
    return kinds(
        {
            "plain_text": shape({"text": string(most)}, {"emoji": flag}),
            "mrkdwn": shape({"text": string(most)}, {"verbatim": flag}),
        }
    )


def plain(most: int) -> Check:
    return kinds({"plain_text": shape({"text": string(most)}, {"emoji": flag})})


def option(words: Check, **more: Check) -> Check:
    return shape({"text": words, "value": string(150)}, {"description": words, **more})


def begins_with_own_options(element: Json, spot: Spot) -> None:
    """What is chosen at first must be among the options, word for word."""
    first = [element["initial_option"]] if "initial_option" in element else []
    for chosen in [*first, *element.get("initial_options", [])]:
        if chosen not in element["options"]:
            spot.wrong("initial options must be among the options")


OPTION = option(plain(75))
MENU_OPTION = option(plain(75), url=string(3000))
"""Of an overflow menu, whose options alone may have a URL: …/composition-objects/option-object"""
RICH_OPTION = option(text(75))
OPTIONS = many(OPTION, 100)
CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
COMMON: dict[str, Check] = {"action_id": ID, "focus_on_load": flag}

ELEMENTS: dict[str, Check] = {
    "button": shape(
        {"text": plain(75)},
        {
            "action_id": ID,
            "url": string(3000),
            "value": string(2000),
            "style": one_of("primary", "danger"),
            "confirm": CONFIRM,
            "accessibility_label": string(75),
        },
    ),
    "static_select": shape(
        {"options": OPTIONS},
        {**COMMON, "placeholder": plain(150), "confirm": CONFIRM, "initial_option": OPTION},
        begins_with_own_options,
    ),
    "overflow": shape({"options": many(MENU_OPTION, 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "checkboxes": shape(
        {"options": many(RICH_OPTION, 10)},
        {**COMMON, "confirm": CONFIRM, "initial_options": many(RICH_OPTION, 10)},
        begins_with_own_options,
    ),
    "plain_text_input": shape(
        {},
        {
            **COMMON,
            "placeholder": plain(150),
            "initial_value": string(3000, 0),
            "multiline": flag,
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
        },
    ),
}
CLICKABLE = ("button", "overflow", "static_select", "checkboxes")
FIELDS = ("static_select", "checkboxes", "plain_text_input")
