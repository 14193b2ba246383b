"""The small words that the rules of Block Kit are written in.

A check looks at a value in its spot and reports what is wrong with it. `shape` knows the keys of
an object, `kinds` picks a shape by `type`; the rest are strings, numbers, lists and choices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.playground.workspace.wire import Json


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place in what is checked, and the list of what was found wrong everywhere."""

    path: str = ""
    found: list[str] = field(default_factory=list)

    def at(self, key: str | int) -> "Spot":
        return Spot(path=f"{self.path}/{key}", found=self.found)

    def wrong(self, what: str) -> None:
        """Report in the words and form of Slack's `response_metadata.messages`."""
        self.found.append(f"[ERROR] {what} [json-pointer:{self.path}]")


Check = Callable[[object, Spot], None]
Rule = Callable[[Json, Spot], None]
"""A check over a whole object whose keys are right."""


def string(most: int, least: int = 1) -> Check:
    def check(value: object, spot: Spot) -> None:
        if not isinstance(value, str):
            spot.wrong("must be a string")
        elif len(value) > most:
            spot.wrong(f"must be less than {most + 1} characters")
        elif len(value) < least:
            spot.wrong(f"must be more than {least - 1} characters")

    return check


def flag(value: object, spot: Spot) -> None:
    if not isinstance(value, bool):
        spot.wrong("must be a boolean")


def whole(least: int, most: int) -> Check:
    def check(value: object, spot: Spot) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            spot.wrong("must be an integer")
        elif not least <= value <= most:
            spot.wrong(f"must be between {least} and {most}")

    return check


def one_of(*choices: str) -> Check:
    def check(value: object, spot: Spot) -> None:
        if value not in choices:
            spot.wrong(f"must be one of {', '.join(choices)}")

    return check


def many(check_one: Check, most: int, least: int = 1) -> Check:
    def check(value: object, spot: Spot) -> None:
        if not isinstance(value, list):
            spot.wrong("must be an array")
            return
        if not least <= len(value) <= most:
            spot.wrong(f"must have {least} to {most} items, has {len(value)}")
        for index, item in enumerate(value):
            check_one(item, spot.at(index))

    return check


def shape(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *rules: Rule
) -> Check:
    """An object with these keys and no others; `type` may always be there."""
    known = {**required, **(optional or {})}

    def check(value: object, spot: Spot) -> None:
        if not isinstance(value, dict):
            spot.wrong("must be an object")
            return
        before = len(spot.found)
        for key in sorted(required.keys() - value.keys()):
            spot.wrong(f"missing required field: {key}")
        for key in sorted(value.keys() - known.keys() - {"type"}):
            spot.wrong(f"unknown field: {key}")
        for key in sorted(value.keys() & known.keys()):
            known[key](value[key], spot.at(key))
        if len(spot.found) == before:
            for rule in rules:
                rule(value, spot)

    return check


def kinds(table: Mapping[str, Check], *names: str) -> Check:
    """An object whose `type` says which check of the table it must pass."""
    allowed = names or tuple(table)

    def check(value: object, spot: Spot) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in allowed or not isinstance(kind, str):
            spot.at("type").wrong(f"unsupported type: {kind}")
            return
        table[kind](value, spot)

    return check


def at_least_one(*keys: str) -> Rule:
    def rule(value: Json, spot: Spot) -> None:
        if not any(key in value for key in keys):
            spot.wrong(f"must have one of {', '.join(keys)}")

    return rule
