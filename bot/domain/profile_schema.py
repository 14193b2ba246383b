"""The shape of a profile file: which keys it has, and of which kind each value is.

The catalogue checks the values together; here typing errors are named.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

Shape = Mapping[str, Any]
"""A kind for each key: a type, a list with the type of its items, or the shape of a table."""

OPTION: Shape = {"id": str, "kind": str, "label": str, "hint": str}
VALUE: Shape = {"label": str, "value": str}
PROFILE: Shape = {
    "order": int,
    "title": str,
    "summary": str,
    "roles": [str],
    "scopes": [str],
    "legacy": [str],
    "warnings": [str],
    "next_steps": str,
    "approval": {"needed": int, "distinct_groups": bool},
    "redirect": {"rule": str, "caution": str},
    "secret": {"name": str, "default_days": int, "choices": [object]},  # "never" is told of later
    "options": [OPTION],
    "values": [VALUE],
}
OPTIONAL = frozenset(
    {"legacy", "approval", "options", "redirect.caution"}
    | {"approval.needed", "approval.distinct_groups"}
)
WORDS = {str: "a text in quotes", int: "a whole number", bool: "true or false"}


def problems(raw: Mapping[str, Any], shape: Shape = PROFILE, within: str = "") -> Iterator[str]:
    """Yield a sentence for each key that is missing, unknown, or of another kind."""
    for key in shape:
        if key not in raw and f"{within}{key}" not in OPTIONAL:
            yield f"`{within}{key}` is missing."
    for key, value in raw.items():
        if key in shape:
            yield from _unlike(value, shape[key], f"{within}{key}")
        else:
            near = get_close_matches(key, shape, n=1)
            meant = f" Did you mean `{within}{near[0]}`?" if near else ""
            yield f"`{within}{key}` is no key of a profile.{meant}"


def _unlike(value: object, kind: Any, name: str) -> Iterator[str]:
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"`{name}` must be a list."
            return
        for place, item in enumerate(value, start=1):
            yield from _unlike(item, kind[0], f"{name}, entry {place}")
    elif isinstance(kind, Mapping):
        if not isinstance(value, dict):
            yield f"`{name}` must be a table."
            return
        yield from problems(value, kind, f"{name}.")
    elif kind is not object and type(value) is not kind:
        yield f"`{name}` must be {WORDS[kind]}."
