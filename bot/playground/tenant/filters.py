"""`$filter`: clauses joined by `and`; each is `eq`, `startswith` or `any(x:x eq …)`.

Like Entra, strings are compared without regard to case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.playground.tenant.errors import GraphFailure, bad_request

Clause = Callable[[Mapping[str, Any]], bool]

_TEXT = r"'(?:[^']|'')*'"
_LITERAL = rf"{_TEXT}|true|false|null|[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}"
_EQUAL = re.compile(rf"(?P<name>\w+) eq (?P<value>{_LITERAL})")
_STARTS = re.compile(rf"startswith\((?P<name>\w+), ?(?P<value>{_TEXT})\)", re.IGNORECASE)
_ANY = re.compile(rf"(?P<name>\w+)/any\((?P<item>\w+): ?(?P=item) eq (?P<value>{_TEXT})\)")
_AND = re.compile(r" and ")


def matching(
    rows: Sequence[Mapping[str, Any]], text: str, filterable: frozenset[str]
) -> list[Mapping[str, Any]]:
    """Return the rows that a `$filter` lets through; raise for one that is not supported."""
    clauses = list(_clauses(text.strip(), filterable))
    return [row for row in rows if all(clause(row) for clause in clauses)]


def _clauses(text: str, filterable: frozenset[str]) -> list[Clause]:
    clauses: list[Clause] = []
    start = 0
    while True:
        found, clause = _clause(text, start, filterable)
        clauses.append(clause)
        if found == len(text):
            return clauses
        joint = _AND.match(text, found)
        if joint is None:
            raise _unsupported()
        start = joint.end()


def _clause(text: str, start: int, filterable: frozenset[str]) -> tuple[int, Clause]:
    for pattern, make in ((_EQUAL, _equal), (_STARTS, _starts), (_ANY, _any)):
        if found := pattern.match(text, start):
            if found["name"] not in filterable:
                raise _not_filterable(found["name"])
            return found.end(), make(found["name"], _value(found["value"]))
    raise _unsupported()


def _equal(name: str, value: Any) -> Clause:
    return lambda row: bool(_fold(row.get(name)) == _fold(value))


def _starts(name: str, value: Any) -> Clause:
    return lambda row: str(_fold(row.get(name) or "")).startswith(str(_fold(value)))


def _any(name: str, value: Any) -> Clause:
    return lambda row: _fold(value) in [_fold(item) for item in row.get(name) or ()]


def _value(literal: str) -> object:
    if literal.startswith("'"):
        return literal[1:-1].replace("''", "'")
    return {"true": True, "false": False, "null": None}.get(literal, literal)


def _fold(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _not_filterable(name: str) -> GraphFailure:
    message = f"Unsupported or invalid query filter clause specified for property '{name}'."
    return bad_request(message, code="Request_UnsupportedQuery")


def _unsupported() -> GraphFailure:
    return bad_request("Invalid filter clause.", code="BadRequest")
