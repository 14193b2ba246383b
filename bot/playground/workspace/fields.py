"""The fields of a form: what each kind holds when untouched, and how somebody fills it in.

A client refuses what does not fit before anything reaches the app; so does this.
"""

import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any

from bot.playground.workspace.blocks import walk
from bot.playground.workspace.wire import CannotAct, Json

Find = Callable[[str], str]
"""Turns the name of a person or channel into its id."""


@dataclass(frozen=True, kw_only=True)
class FieldKind:
    """Where the state keeps the value, which key of the element begins it, how a value is read."""

    slot: str
    initial: str
    read: Callable[[Json, Any, Find], Any]
    empty: Any = None


def _text(element: Json, wanted: Any, _: Find) -> str | None:
    text = str(wanted)
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if len(text) > most:
        raise CannotAct(f"{len(text)} characters are too many: the field takes {most}.")
    if text and len(text) < least:
        raise CannotAct(f"{len(text)} characters are too few: the field wants {least}.")
    return text or None


def _matching(pattern: str, what: str) -> Callable[[Json, Any, Find], str | None]:
    def read(element: Json, wanted: Any, find: Find) -> str | None:
        text = _text(element, wanted, find)
        if text and not re.fullmatch(pattern, text):
            raise CannotAct(f"{text!r} is not {what}.")
        return text

    return read


def _number(element: Json, wanted: Any, _: Find) -> str:
    text = str(wanted)
    pattern = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(pattern, text):
        raise CannotAct(f"{text!r} is not a number this field takes.")
    low, high = element.get("min_value", text), element.get("max_value", text)
    if not float(low) <= float(text) <= float(high):
        raise CannotAct(f"{text} is not between {low} and {high}.")
    return text


def _day(element: Json, wanted: Any, _: Find) -> str:
    try:
        return date.fromisoformat(str(wanted)).isoformat()
    except ValueError:
        raise CannotAct(f"{wanted!r} is not a day, such as 2027-01-31.") from None


def _option(element: Json, wanted: Any, _: Find) -> Json:
    options = options_of(element)
    for option in options:
        if wanted == option["text"]["text"]:
            return {"text": option["text"], "value": option["value"]}
    texts = ", ".join(repr(option["text"]["text"]) for option in options)
    raise CannotAct(f"There is no choice {wanted!r}; there are {texts}.")


def _options(element: Json, wanted: Any, find: Find) -> list[Json]:
    most = element.get("max_selected_items", 100)
    if len(wanted) > most:
        raise CannotAct(f"Only {most} may be chosen.")
    return [_option(element, one, find) for one in wanted]


def _found(element: Json, wanted: Any, find: Find) -> str:
    return find(wanted)


def _all_found(element: Json, wanted: Iterable[Any], find: Find) -> list[str]:
    return [find(one) for one in wanted]


EMAIL = _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")
URL = _matching(r"https?://\S+", "a web address")
TEXT = FieldKind(slot="value", initial="initial_value", read=_text)
ONE = FieldKind(slot="selected_option", initial="initial_option", read=_option)
MANY = FieldKind(slot="selected_options", initial="initial_options", read=_options, empty=[])

KINDS = {
    "plain_text_input": TEXT,
    "email_text_input": FieldKind(slot="value", initial="initial_value", read=EMAIL),
    "url_text_input": FieldKind(slot="value", initial="initial_value", read=URL),
    "number_input": FieldKind(slot="value", initial="initial_value", read=_number),
    "static_select": ONE,
    "radio_buttons": ONE,
    "multi_static_select": MANY,
    "checkboxes": MANY,
    "datepicker": FieldKind(slot="selected_date", initial="initial_date", read=_day),
    "users_select": FieldKind(slot="selected_user", initial="initial_user", read=_found),
    "multi_users_select": FieldKind(
        slot="selected_users", initial="initial_users", read=_all_found, empty=[]
    ),
    "conversations_select": FieldKind(
        slot="selected_conversation", initial="initial_conversation", read=_found
    ),
    "channels_select": FieldKind(slot="selected_channel", initial="initial_channel", read=_found),
}


def options_of(element: Json) -> list[Json]:
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    return [option for group in groups for option in group["options"]]


def untouched(element: Json) -> Json:
    """Return the state of a field that nobody has touched."""
    kind = KINDS[element["type"]]
    value = deepcopy(element.get(kind.initial, kind.empty))
    return {"type": element["type"], kind.slot: value}


def filled(element: Json, wanted: Any, find: Find) -> Json:
    """Return the state after somebody has put `wanted` there; None empties the field."""
    if element["type"] not in KINDS:
        raise CannotAct(f"Nobody can fill in a {element['type']} here.")
    kind = KINDS[element["type"]]
    value = deepcopy(kind.empty) if wanted is None else kind.read(element, wanted, find)
    return {"type": element["type"], kind.slot: value}


def state_of(blocks: Iterable[Json], before: Json | None = None) -> Json:
    """Return `state.values` of a view: untouched fields, or what `before` holds of the same ids."""
    values: Json = {}
    for block, element in walk.elements(blocks):
        if element["type"] not in KINDS:
            continue
        kept = (before or {}).get(block["block_id"], {}).get(element["action_id"])
        same = kept is not None and kept["type"] == element["type"]
        mine = values.setdefault(block["block_id"], {})
        mine[element["action_id"]] = kept if same else untouched(element)
    return values


def value_of(element: Json, state: Json) -> Any:
    """Return what a field's state holds, without the wrapping."""
    return state[KINDS[element["type"]].slot]
