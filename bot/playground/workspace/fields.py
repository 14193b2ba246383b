"""The fields of a form: what each kind holds when untouched, and how a person fills it in.

A client refuses what does not fit before anything reaches the app; so does this.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from bot.playground.workspace.blocks import walk
from bot.playground.workspace.wire import CannotAct, Json


@dataclass(frozen=True, kw_only=True)
class FieldKind:
    """Where the state keeps the value, which key of the element begins it, how a value is read."""

    slot: str
    initial: str
    read: Callable[[Json, Any], Any]
    empty: Any = None


def _text(element: Json, wanted: Any) -> str | None:
    text = str(wanted)
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if len(text) > most:
        raise CannotAct(f"{len(text)} characters are too many: the field takes {most}.")
    if text and len(text) < least:
        raise CannotAct(f"{len(text)} characters are too few: the field wants {least}.")
    return text or None


def _option(element: Json, wanted: Any) -> Json:
    for option in element["options"]:
        if wanted == option["text"]["text"]:
            return {"text": option["text"], "value": option["value"]}
    texts = ", ".join(repr(option["text"]["text"]) for option in element["options"])
    raise CannotAct(f"There is no choice {wanted!r}; there are {texts}.")


def _options(element: Json, wanted: Any) -> list[Json]:
    return [_option(element, one) for one in wanted]


KINDS = {
    "plain_text_input": FieldKind(slot="value", initial="initial_value", read=_text),
    "static_select": FieldKind(slot="selected_option", initial="initial_option", read=_option),
    "checkboxes": FieldKind(
        slot="selected_options", initial="initial_options", read=_options, empty=[]
    ),
}


def untouched(element: Json) -> Json:
    """Return the state of an untouched field."""
    kind = KINDS[element["type"]]
    value = deepcopy(element.get(kind.initial, kind.empty))
    return {"type": element["type"], kind.slot: value}


def filled(element: Json, wanted: Any) -> Json:
    """Return the state after a person has put `wanted` there; None empties the field."""
    if element["type"] not in KINDS:
        raise CannotAct(f"Nobody can fill in a {element['type']} here.")
    kind = KINDS[element["type"]]
    value = deepcopy(kind.empty) if wanted is None else kind.read(element, wanted)
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
