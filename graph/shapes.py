"""Check that a JSON answer has the parts that are read.

A shape is written as the JSON looks: `{"id": identifier, "tags": [str], "hint?": str}`. These fit:

- a type, or a union of types: a value of that type (a boolean is no number)
- a function: a value for which it returns True
- `[shape]`: a list whose items all fit
- `{"name": shape}`: an object that has these properties; more do no harm. `"name?"` may be missing
  or null. `{str: shape}`: every value fits, or is null; OData's annotations do not count.

Code that reads a property of an answer names it in a shape first, and need not check it again.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from types import UnionType
from typing import Any

Shape = Any

_IDENTIFIER = re.compile(r"[A-Za-z0-9._~=-]{1,256}")


def identifier(value: object) -> bool:
    """Fit an id as Graph makes them: not empty, and nothing that would change the path of a URL."""
    return isinstance(value, str) and bool(_IDENTIFIER.fullmatch(value)) and value.strip(".") != ""


def filled(value: object) -> bool:
    """Fit a text that is not empty."""
    return isinstance(value, str) and value.strip() != ""


def moment(value: object) -> bool:
    """Fit a moment in ISO 8601 with an offset, in a year that leaves room to reckon with."""
    if not isinstance(value, str):
        return False
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return False
    return read.tzinfo is not None and 1 < read.year < 9999


def selection(shape: dict[str, Shape]) -> str:
    """Return the properties that the shape of an object names, for `$select`."""
    return ",".join(name.removesuffix("?") for name in shape)


def misfit(value: object, shape: Shape) -> str | None:
    """Return the name of the first part that does not fit, or None. Pure."""
    return next(_misfits(value, shape, ""), None)


def _misfits(value: object, shape: Shape, where: str) -> Iterator[str]:
    match shape:
        case dict():
            if isinstance(value, dict):
                yield from _misfits_of_object(value, shape, where)
            else:
                yield where or "the whole"
        case [of]:
            if not isinstance(value, list):
                yield where or "the whole"
                return
            for index, item in enumerate(value):
                yield from _misfits(item, of, f"{where}[{index}]")
        case _:
            if not _fits(value, shape):
                yield where or "the whole"


def _misfits_of_object(value: dict[str, Any], shape: dict[Any, Shape], where: str) -> Iterator[str]:
    for name, of in shape.items():
        if name is str:
            for key, each in value.items():
                if each is not None and not key.startswith("@"):
                    yield from _misfits(each, of, f"{where}.*".lstrip("."))
            continue
        key = name.removesuffix("?")
        may_lack = key != name
        if may_lack and value.get(key) is None:
            continue
        inner = f"{where}.{key}".lstrip(".")
        if key in value:
            yield from _misfits(value[key], of, inner)
        else:
            yield inner


def _fits(value: object, shape: Shape) -> bool:
    if not isinstance(shape, type | UnionType):
        return bool(shape(value))
    if isinstance(value, bool):  # which Python takes for an int
        return shape is object or bool in getattr(shape, "__args__", (shape,))
    return isinstance(value, shape)
