"""A call of Microsoft Graph, its answer, and the shape that the JSON of an answer must have.

A shape is written as the JSON looks: `{"id": identifier, "tags": [str], "hint?": str}`. These fit:

- a type, or a union of types: a value of that type (a boolean is no number)
- a function: a value for which it returns True
- `[shape]`: a list whose items all fit
- `{"name": shape}`: an object that has these properties; more do no harm. `"name?"` may be missing
  or null. `{str: shape}`: every value fits, or is null; OData's annotations do not count.

Code that reads a property of an answer names it in a shape first, and need not check it again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from graph.errors import UnexpectedAnswer

Json = dict[str, Any]
Shape = Any


@dataclass(frozen=True)
class Call:
    """A request. `path` is relative to `/v1.0`; `query` is not yet encoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    @property
    def url(self) -> str:
        """The path with its query, as OData wants it: `$` bare, spaces as %20."""
        if not self.query:
            return self.path
        pairs = (f"{name}={quote(value, safe='')}" for name, value in self.query.items())
        return f"{self.path}?{'&'.join(pairs)}"

    @property
    def label(self) -> str:
        """The method and the path without the ids in it, for logs and errors."""
        path = _QUOTED.sub("'…'", _GUID.sub("…", self.path))
        return f"{self.method} {path}"


_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_QUOTED = re.compile(r"'[^']*'")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A success. `body` is empty where Graph sends none; `tries` is how often it was asked."""

    status: int
    body: Json = field(repr=False)
    request_id: str | None
    tries: int = 1
    call: str = ""

    def read(self, shape: Shape) -> Json:
        """Return the body, which has the parts that `shape` names. Raises UnexpectedAnswer."""
        self.check(self.body, shape)
        return self.body

    def check(self, part: object, shape: Shape) -> None:
        """Raise UnexpectedAnswer unless this part of the body fits."""
        if where := misfit(part, shape):
            raise self.unexpected(f"“{where}” is missing or is not what it should be")

    def unexpected(self, what: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            status=self.status,
            request_id=self.request_id,
            call=self.call,
            sentence=f"{UnexpectedAnswer.TEXT} In the answer to {self.call or 'a call'}, {what}.",
        )


def parts_of(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it cannot be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read only now
    except ValueError:
        return None
    return parts


def written_as(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    """Return a shape that a text fits which matches as a whole."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


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
    match shape, value:
        case dict(), dict():
            yield from _misfits_of_object(value, shape, where)
        case [of], list():
            for index, item in enumerate(value):
                yield from _misfits(item, of, f"{where}[{index}]")
        case _:
            if isinstance(shape, dict | list) or not _fits(value, shape):
                yield where or "the whole"


def _misfits_of_object(value: dict[str, Any], shape: dict[Any, Shape], where: str) -> Iterator[str]:
    for name, of in shape.items():
        if name is str:
            for key, each in value.items():
                if each is not None and not key.startswith("@"):
                    yield from _misfits(each, of, f"{where}.*".lstrip("."))
            continue
        key = name.removesuffix("?")
        inner = f"{where}.{key}".lstrip(".")
        if key == name and key not in value:
            yield inner
        elif key == name or value.get(key) is not None:
            yield from _misfits(value[key], of, inner)


def _fits(value: object, shape: Shape) -> bool:
    if not isinstance(shape, type | UnionType):
        return bool(shape(value))
    if isinstance(value, bool):  # which Python takes for an int
        return shape is object or bool in getattr(shape, "__args__", (shape,))
    return isinstance(value, shape)
