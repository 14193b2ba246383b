"""Query options: `$select`, `$filter`, `$top`, `$orderby`, `$count` and pages.

An option or clause that is not known here is refused, never ignored
(learn.microsoft.com/graph/query-parameters, learn.microsoft.com/graph/aad-advanced-queries).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.errors import bad_request
from bot.playground.tenant.filters import matching

OPTIONS = {
    *("$count", "$deltatoken", "$expand", "$filter", "$format", "$levels", "$orderby", "$search"),
    *("$select", "$skip", "$skiptoken", "$top"),
}
_OF_ONE = {"$select"}
_OF_MANY = {"$select", "$filter", "$top", "$count", "$skiptoken"}


@dataclass(frozen=True, kw_only=True)
class EntitySet:
    """What can be asked of one collection."""

    name: str
    type: str
    properties: frozenset[str]
    filterable: frozenset[str] = frozenset()
    default: tuple[str, ...] | None = None
    """Returned without `$select`; None for everything."""
    comparable: frozenset[str] = frozenset()
    """Times that `$filter` compares with `ge` and `le`, and that `$orderby` sorts by."""
    page: int = 100
    most: int = 999


def one(url: str, request: Request, of: EntitySet, body: Mapping[str, Any]) -> Answer:
    """Answer 200 with one object, as selected."""
    check_options(request.query, _OF_ONE)
    context = f"{url}/v1.0/$metadata#{of.name}/$entity"
    chosen = _select(body, selected(request.query, of), of)
    return Answer(status=200, body={"@odata.context": context, **chosen})


def created(url: str, of: EntitySet, body: Mapping[str, Any]) -> Answer:
    """Answer 201 with the whole new object."""
    context = f"{url}/v1.0/$metadata#{of.name}/$entity"
    return Answer(status=201, body={"@odata.context": context, **body})


def many(url: str, request: Request, of: EntitySet, rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Answer 200 with a page of the rows that match, and a link to the next one."""
    query = request.query
    check_options(query, _OF_MANY | ({"$orderby"} if of.comparable else set()))
    names = selected(query, of)
    if "$filter" in query:
        rows = matching(rows, query["$filter"], of.filterable, of.comparable)
    if "$orderby" in query:
        rows = _ordered(rows, query["$orderby"], of)
    top, start = _top(query, of), _start(query, len(rows))
    body: dict[str, Any] = {"@odata.context": f"{url}/v1.0/$metadata#{of.name}"}
    if query.get("$count") == "true" and request.eventual and start == 0:
        body["@odata.count"] = len(rows)
    if start + top < len(rows):
        body["@odata.nextLink"] = _next_link(url, request, start + top)
    body["value"] = [_select(row, names, of) for row in rows[start : start + top]]
    return Answer(status=200, body=body)


def count(request: Request, rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Answer `/$count`: a bare number, for callers that accept advanced queries."""
    if not request.eventual:
        raise bad_request("$count is not currently supported.")
    return Answer(status=200, text=str(len(rows)), headers={"Content-Type": "text/plain"})


def option_name(raw: str) -> str:
    """Return the name of a query option as it is looked up: Graph knows `$Top` and `top`, too."""
    name = raw.lower()
    name = name if name.startswith("$") else f"${name}"
    return name if name in OPTIONS else raw


def check_options(query: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse what the resource does not support."""
    for option in query:
        if option.startswith("$") and option not in known:
            message = f"The query option '{option}' is not supported on this resource."
            raise bad_request(message, code="Request_UnsupportedQuery")
    if query.get("$count", "true") not in {"true", "false"}:
        raise bad_request("Invalid value for $count.", code="BadRequest")


def selected(query: Mapping[str, str], of: EntitySet) -> tuple[str, ...] | None:
    """Return the names in `$select`; raise for a property that the type does not have."""
    if "$select" not in query:
        return of.default
    names = tuple(name.strip() for name in query["$select"].split(","))
    for name in names:
        if name not in of.properties:
            message = (
                f"Could not find a property named '{name}' on type 'microsoft.graph.{of.type}'."
            )
            raise bad_request(message, code="BadRequest")
    return names


def _select(row: Mapping[str, Any], names: tuple[str, ...] | None, of: EntitySet) -> dict[str, Any]:
    if names is None:
        return dict(row)
    annotations = {name: value for name, value in row.items() if name.startswith("@")}
    return annotations | {name: row.get(name) for name in names}


def _ordered(
    rows: Sequence[Mapping[str, Any]], text: str, of: EntitySet
) -> list[Mapping[str, Any]]:
    name, _, direction = text.partition(" ")
    if name not in of.comparable or direction not in {"", "asc", "desc"}:
        message = f"Sorting by '{text}' is not supported."
        raise bad_request(message, code="Request_UnsupportedQuery")
    return sorted(rows, key=lambda row: str(row[name]), reverse=direction == "desc")


def _top(query: Mapping[str, str], of: EntitySet) -> int:
    top = query.get("$top", str(of.page))
    if not re.fullmatch(r"[0-9]{1,9}", top) or not 1 <= int(top) <= of.most:
        message = (
            f"Invalid page size specified: '{top}'. Must be between 1 and {of.most} inclusive."
        )
        raise bad_request(message, code="Request_UnsupportedQuery")
    return int(top)


def _start(query: Mapping[str, str], rows: int) -> int:
    if "$skiptoken" not in query:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(query["$skiptoken"].encode()))
    except (ValueError, binascii.Error):
        start = -1
    if not 0 <= start <= rows:
        raise bad_request(
            "The specified page token value is invalid.", code="Directory_InvalidPageToken"
        )
    return start


def _next_link(url: str, request: Request, start: int) -> str:
    options = {name: value for name, value in request.query.items() if name != "$skiptoken"}
    options["$skiptoken"] = base64.urlsafe_b64encode(str(start).encode()).decode()
    return f"{url}/v1.0{request.path}?{urlencode(options, safe='$,')}"
