"""`$filter`: clauses joined by `and`; each is `eq`, `ge`, `le`, `startswith` or `any(x:x eq …)`.

A name may be a path into a complex property (`initiatedBy/app/appId`), and so may the item of an
`any` (`targetResources/any(t:t/id eq '…')`, which is the name `targetResources/id` in
`EntitySet.filterable`). Like Entra, strings are compared without regard to case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.playground.tenant.checks import read_time
from bot.playground.tenant.errors import GraphFailure, bad_request

Row = Mapping[str, Any]
Clause = Callable[[Row], bool]

_NAME = r"[A-Za-z]\w*"
_PATH = rf"{_NAME}(?:/{_NAME})*"
_TEXT = r"'(?:[^']|'')*'"
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d[0-9:.]*(?:Z|[+-]\d\d:\d\d)"
_COMPARED = re.compile(
    rf"(?P<name>{_PATH}) (?P<sign>eq|ge|le) "
    rf"(?P<value>{_TEXT}|true|false|null|{_GUID}|{_TIME})",
    re.ASCII,
)
_STARTS = re.compile(rf"(?i:startswith)\((?P<name>{_PATH}), ?(?P<value>{_TEXT})\)", re.ASCII)
_ANY = re.compile(
    rf"(?P<list>{_NAME})/any\((?P<item>{_NAME}): ?(?P=item)(?P<path>(?:/{_NAME})*)"
    rf" eq (?P<value>{_TEXT})\)",
    re.ASCII,
)
_AND = re.compile(r" and ")


def matching(
    rows: Sequence[Row],
    text: str,
    filterable: frozenset[str],
    comparable: frozenset[str] = frozenset(),
) -> list[Row]:
    """Return the rows that a `$filter` lets through; raise for one that is not supported.

    `comparable` are the times among the names, the only ones that take `ge` and `le`.
    """
    clauses = list(_clauses(text.strip(), filterable, comparable))
    return [row for row in rows if all(clause(row) for clause in clauses)]


def _clauses(text: str, filterable: frozenset[str], comparable: frozenset[str]) -> list[Clause]:
    clauses: list[Clause] = []
    start = 0
    while True:
        found, clause = _clause(text, start, filterable, comparable)
        clauses.append(clause)
        if found == len(text):
            return clauses
        joint = _AND.match(text, found)
        if joint is None:
            raise _unsupported()
        start = joint.end()


def _clause(
    text: str, start: int, filterable: frozenset[str], comparable: frozenset[str]
) -> tuple[int, Clause]:
    if found := _COMPARED.match(text, start):
        if found["name"] in comparable:
            return found.end(), _timed(found["name"], found["sign"], found["value"])
        if found["sign"] != "eq":
            raise _not_filterable(found["name"])
        return found.end(), _equal(_known(found["name"], filterable), _value(found["value"]))
    if found := _STARTS.match(text, start):
        name = _known(found["name"], filterable)
        return found.end(), _starts(name, str(_value(found["value"])))
    if found := _ANY.match(text, start):
        _known(found["list"] + found["path"], filterable)
        inner = found["path"].strip("/")
        return found.end(), _any(found["list"], inner, str(_value(found["value"])))
    raise _unsupported()


def _known(name: str, filterable: frozenset[str]) -> str:
    if name not in filterable:
        raise _not_filterable(name)
    return name


def _equal(name: str, value: object) -> Clause:
    def clause(row: Row) -> bool:
        held = _at(row, name)
        if isinstance(held, list) or (held is not None and not _comparable(held, value)):
            raise _not_filterable(name)
        return bool(_fold(held) == _fold(value))

    return clause


def _timed(name: str, sign: str, literal: str) -> Clause:
    wanted = read_time(literal)
    if wanted is None:
        raise _not_filterable(name)

    def clause(row: Row) -> bool:
        held = datetime.fromisoformat(row[name])
        return {"eq": held == wanted, "ge": held >= wanted, "le": held <= wanted}[sign]

    return clause


def _starts(name: str, value: str) -> Clause:
    def clause(row: Row) -> bool:
        held = _at(row, name)
        if held is not None and not isinstance(held, str):
            raise _not_filterable(name)
        return (held or "").casefold().startswith(value.casefold())

    return clause


def _any(name: str, inner: str, value: str) -> Clause:
    def clause(row: Row) -> bool:
        items = row.get(name) or []
        if not isinstance(items, list):
            raise _not_filterable(name)
        found = [_at(item, inner) if inner else item for item in items]
        return value.casefold() in [_fold(each) for each in found]

    return clause


def _at(row: Row, path: str) -> Any:
    """Follow a path; null where any part of it is."""
    held: Any = row
    for name in path.split("/"):
        held = held.get(name) if isinstance(held, Mapping) else None
    return held


def _comparable(held: object, value: object) -> bool:
    return value is None or isinstance(held, bool) == isinstance(value, bool)


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
