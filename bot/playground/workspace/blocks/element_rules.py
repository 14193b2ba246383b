"""The rules of block elements and of the objects in them: texts, options, confirm dialogs.

docs.slack.dev/reference/block-kit/block-elements, …/composition-objects
"""

from bot.playground.workspace.blocks.grammar import (
    Check,
    Spot,
    at_least_one,
    exactly_one,
    flag,
    kinds,
    many,
    one_of,
    shape,
    string,
    whole,
)
from bot.playground.workspace.fields import options_of
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


def option(words: Check) -> Check:
    return shape({"text": words, "value": string(150)}, {"description": words, "url": string(3000)})


def begins_with_own_options(element: Json, spot: Spot) -> None:
    """What is chosen at first must be among the options, word for word."""
    first = [element["initial_option"]] if "initial_option" in element else []
    for chosen in [*first, *element.get("initial_options", [])]:
        if chosen not in options_of(element):
            spot.wrong("initial options must be among the options")


def decimal(value: object, spot: Spot) -> None:
    string(30)(value, spot)
    if isinstance(value, str) and not value.lstrip("-").replace(".", "", 1).isdigit():
        spot.wrong("must be a number in a string")


OPTION = option(plain(75))
RICH_OPTION = option(text(75))
OPTIONS = many(OPTION, 100)
GROUP = shape({"label": plain(75), "options": OPTIONS})
CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
DISPATCH = shape(
    {"trigger_actions_on": many(one_of("on_enter_pressed", "on_character_entered"), 2)}
)
FILTER = shape(
    {},
    {
        "include": many(one_of("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": flag,
        "exclude_bot_users": flag,
    },
    at_least_one("include", "exclude_external_shared_channels", "exclude_bot_users"),
)
COMMON: dict[str, Check] = {"action_id": ID, "focus_on_load": flag}
MENU = {**COMMON, "placeholder": plain(150), "confirm": CONFIRM}
TYPED = {**COMMON, "placeholder": plain(150), "dispatch_action_config": DISPATCH}
CHOICES = {**MENU, "options": OPTIONS, "option_groups": many(GROUP, 100)}
SEVERAL = {"max_selected_items": whole(1, 100)}
BOXES = {**COMMON, "confirm": CONFIRM}

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
        {},
        {**CHOICES, "initial_option": OPTION},
        exactly_one("options", "option_groups"),
        begins_with_own_options,
    ),
    "multi_static_select": shape(
        {},
        {**CHOICES, **SEVERAL, "initial_options": OPTIONS},
        exactly_one("options", "option_groups"),
        begins_with_own_options,
    ),
    "users_select": shape({}, {**MENU, "initial_user": string(20)}),
    "multi_users_select": shape({}, {**MENU, **SEVERAL, "initial_users": many(string(20), 100)}),
    "channels_select": shape(
        {}, {**MENU, "initial_channel": string(20), "response_url_enabled": flag}
    ),
    "conversations_select": shape(
        {},
        {
            **MENU,
            "initial_conversation": string(20),
            "default_to_current_conversation": flag,
            "response_url_enabled": flag,
            "filter": FILTER,
        },
    ),
    "overflow": shape({"options": many(OPTION, 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "checkboxes": shape(
        {"options": many(RICH_OPTION, 10)},
        {**BOXES, "initial_options": many(RICH_OPTION, 10)},
        begins_with_own_options,
    ),
    "radio_buttons": shape(
        {"options": many(RICH_OPTION, 10)},
        {**BOXES, "initial_option": RICH_OPTION},
        begins_with_own_options,
    ),
    "datepicker": shape({}, {**MENU, "initial_date": string(10, 10)}),
    "plain_text_input": shape(
        {},
        {
            **TYPED,
            "initial_value": string(3000, 0),
            "multiline": flag,
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
        },
    ),
    "email_text_input": shape({}, {**TYPED, "initial_value": string(3000)}),
    "url_text_input": shape({}, {**TYPED, "initial_value": string(3000)}),
    "number_input": shape(
        {"is_decimal_allowed": flag},
        {**TYPED, "initial_value": decimal, "min_value": decimal, "max_value": decimal},
    ),
    "image": shape({"alt_text": string(2000), "image_url": string(3000)}),
}
BUTTONS = ("button", "overflow")
MENUS = ("static_select", "users_select", "conversations_select", "channels_select")
MULTI_MENUS = ("multi_static_select", "multi_users_select")
CHOOSERS = ("checkboxes", "radio_buttons", "datepicker")
TEXTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input")
