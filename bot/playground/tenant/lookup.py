"""Applications and service principals by their keys: as seen, and to change them."""

from typing import Any

from bot.playground.tenant.calls import Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, not_found, out_of_date
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.rights import check_change, check_read
from bot.playground.tenant.urls import Key

OTHER_WORDS = 0.2


def seen(directory: Directory, request: Request, kind: Kind) -> dict[str, Any]:
    """Return the object that the path names, as the request's replica shows it."""
    key = request.target.keys[0]
    if key.name == "id":
        found = directory.store.seen(kind, key.value, request.moment)
    else:
        rows = directory.store.all_seen(kind, request.moment)
        found = next((row for row in rows if row[key.name] == key.value), None)
    if found is None:
        raise _missing(directory, kind, key)
    return found


def readable(directory: Directory, request: Request, kind: Kind) -> dict[str, Any]:
    """Like `seen`, for callers that may read it."""
    found = seen(directory, request, kind)
    check_read(directory, request.caller, found["id"])
    return found


def changeable(directory: Directory, request: Request, kind: Kind) -> dict[str, Any]:
    """Return the truth about an object that is seen, for callers that may change it."""
    found = seen(directory, request, kind)
    check_change(directory, request.caller, found["id"])
    truth = directory.store.get(kind, found["id"])
    if truth is None:
        raise not_found(request.target.keys[0].value)
    directory.claim(truth["id"])
    return truth


def _missing(directory: Directory, kind: Kind, key: Key) -> GraphFailure:
    """What is missing is missing; what only lags is, now and then, answered in other words."""
    lags = directory.find(kind, **{key.name: key.value}) is not None
    if lags and directory.random.random() < OTHER_WORDS:
        return out_of_date()
    return not_found(key.value)
