"""Change tracking: `/users/delta` and its like for groups, applications and service principals.

A round is pages of `@odata.nextLink` up to an `@odata.deltaLink`, which begins the next round:
what has changed since, with `@removed` for what is gone (`changed`: it can be restored). What a
round reports lags like every read, is never taken back, and is never lost. Tokens live for seven
days. learn.microsoft.com/graph/delta-query-overview and …/graph/api/user-delta.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.playground.tenant.applications import APPLICATIONS
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request
from bot.playground.tenant.people import GROUPS, USERS
from bot.playground.tenant.query import EntitySet, check_options, selected
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.rights import visible
from bot.playground.tenant.rounds import Round, State
from bot.playground.tenant.service_principals import SERVICE_PRINCIPALS

LIFE = timedelta(days=7)
MOST_FILTERED = 50
_LATEST = "latest"
_MEMBERS = "members"
_ID = r"id eq (?:'[0-9a-fA-F-]{36}'|[0-9a-fA-F-]{36})"
_IDS = re.compile(rf"{_ID}(?: or {_ID})*")


@dataclass(frozen=True, kw_only=True)
class _Tracked:
    """A collection whose changes can be asked for, and how it looks now, given how it looked."""

    of: EntitySet
    look: Callable[[Directory, Request, State], State]


def users(directory: Directory, request: Request) -> Answer:
    def look(directory: Directory, _: Request, before: State) -> State:
        return _numbered(directory.people.users, before)

    return _answer(directory, request, _Tracked(of=USERS, look=look))


def groups(directory: Directory, request: Request) -> Answer:
    """Changes of memberships come as `members@delta` if `members` is selected."""

    def look(directory: Directory, _: Request, before: State) -> State:
        members = directory.people.members
        rows = [
            {**group, _MEMBERS: sorted(members.get(group["id"], ()))}
            for group in directory.people.groups
        ]
        return _numbered(rows, before)

    with_members = replace(GROUPS, properties=GROUPS.properties | {_MEMBERS})
    return _answer(directory, request, _Tracked(of=with_members, look=look))


def applications(directory: Directory, request: Request) -> Answer:
    return _answer(directory, request, _stored(APPLICATIONS, Kind.APPLICATION))


def service_principals(directory: Directory, request: Request) -> Answer:
    return _answer(directory, request, _stored(SERVICE_PRINCIPALS, Kind.SERVICE_PRINCIPAL))


def _stored(of: EntitySet, kind: Kind) -> _Tracked:
    def look(directory: Directory, request: Request, before: State) -> State:
        shown = directory.store.history_seen(kind, request.moment)
        own = {row["id"] for row in visible(directory, request.caller, [{"id": i} for i in shown])}
        # A replica that is behind must not undo what a faster one has reported.
        newer = {id: it for id, it in shown.items() if id in own and it[0] >= _number(before, id)}
        return {**before, **newer}

    return _Tracked(of=of, look=look)


def _numbered(rows: list[dict[str, Any]], before: State) -> State:
    """Give people, who have no versions, a number that grows with each change."""
    now = {row["id"]: dict(row) for row in rows}
    state: dict[str, tuple[int, dict[str, Any] | None]] = {}
    for id in [*now, *(id for id in before if id not in now)]:
        known, body = before.get(id), now.get(id)
        state[id] = known if known and known[1] == body else (_number(before, id) + 1, body)
    return state


def _number(state: State, id: str) -> int:
    return state[id][0] if id in state else -1


def _answer(directory: Directory, request: Request, tracked: _Tracked) -> Answer:
    query = request.query
    if "$skiptoken" in query:
        check_options(query, {"$skiptoken"})
        token, start = _paged(query["$skiptoken"])
        return _page(
            directory, tracked.of, token, _round(directory, request, tracked, token), start
        )
    if query.get("$deltatoken") not in (None, "", _LATEST):
        check_options(query, {"$deltatoken"})
        done = _round(directory, request, tracked, query["$deltatoken"])
        return _begin(directory, request, tracked, done)
    check_options(query, {"$deltatoken", "$select", "$filter"})
    first = Round(
        collection=tracked.of.name,
        caller=request.caller.app_id,
        names=selected(query, tracked.of),
        ids=_filtered(query.get("$filter")),
        rows=(),
        state={},
        at=directory.now(),
    )
    if query.get("$deltatoken") == _LATEST:
        first = replace(first, state=tracked.look(directory, request, {}))
        return _page(directory, tracked.of, _keep(directory, first), first, 0)
    return _begin(directory, request, tracked, first)


def _begin(directory: Directory, request: Request, tracked: _Tracked, last: Round) -> Answer:
    """Open the round after that one: everything that differs."""
    state = tracked.look(directory, request, last.state)
    minimal = "return=minimal" in request.headers.get("Prefer", "").replace(" ", "").lower()
    rows = []
    for id, (_, body) in state.items():
        before = last.state[id][1] if id in last.state else None
        if last.ids is not None and id not in last.ids:
            continue
        if body is None:
            gone = id in last.state and (before is not None or _purged(directory, last, state, id))
            rows += [_removed(directory, id)] if gone else []
        elif changed := _changed(body, before, last.names, minimal=minimal):
            rows.append(changed)
    new = replace(last, rows=tuple(rows), state=state, at=directory.now())
    return _page(directory, tracked.of, _keep(directory, new), new, 0)


def _purged(directory: Directory, last: Round, state: State, id: str) -> bool:
    """Whether something reported as removed has gone for good since."""
    return state[id][0] > last.state[id][0] and id not in directory.deleted


def _removed(directory: Directory, id: str) -> dict[str, Any]:
    reason = "changed" if id in directory.deleted else "deleted"
    return {"id": id, "@removed": {"reason": reason}}


def _changed(
    body: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    names: tuple[str, ...] | None,
    *,
    minimal: bool,
) -> dict[str, Any] | None:
    """Return an object as a round reports it, or None if nothing that is tracked has changed."""
    tracked = [name for name in names or body if name != _MEMBERS]
    new = {name: body.get(name) for name in tracked}
    old = {name: before.get(name) for name in tracked} if before is not None else {}
    row = {
        name: value
        for name, value in new.items()
        if (value is not None or old.get(name) is not None)
        and not (minimal and before is not None and old[name] == value)
    }
    members = _members(body, before) if _MEMBERS in (names or ()) else []
    if before is not None and new == old and not members:
        return None
    if members:
        row[f"{_MEMBERS}@delta"] = members
    return {**row, "id": body["id"]}


def _members(body: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    old, new = set(before[_MEMBERS]) if before else set(), set(body[_MEMBERS])
    kind = {"@odata.type": "#microsoft.graph.user"}
    gone = {"@removed": {"reason": "deleted"}}
    return [
        *({**kind, "id": id} for id in body[_MEMBERS] if id not in old),
        *({**kind, "id": id, **gone} for id in sorted(old - new)),
    ]


def _page(directory: Directory, of: EntitySet, token: str, round: Round, start: int) -> Answer:
    path = f"{directory.url}/v1.0/{of.name}/delta"
    end = start + of.page
    if not 0 <= start <= len(round.rows):
        raise _bad_token()
    body: dict[str, Any] = {"@odata.context": f"{directory.url}/v1.0/$metadata#{of.name}"}
    if end < len(round.rows):
        next = base64.urlsafe_b64encode(f"{token}.{end}".encode()).decode().rstrip("=")
        body["@odata.nextLink"] = f"{path}?$skiptoken={next}"
    else:
        body["@odata.deltaLink"] = f"{path}?$deltatoken={token}"
    return Answer(status=200, body={**body, "value": list(round.rows[start:end])})


def _keep(directory: Directory, round: Round) -> str:
    token = directory.new_id().replace("-", "")
    directory.rounds[token] = round
    return token


def _paged(token: str) -> tuple[str, int]:
    """Split a `$skiptoken` into the round's token and the place where the page begins."""
    try:
        text = base64.urlsafe_b64decode(token.encode() + b"==").decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise _bad_token() from None
    found = re.fullmatch(r"(?P<token>[0-9a-f]{32})\.(?P<start>[0-9]{1,9})", text)
    if found is None:
        raise _bad_token()
    return found["token"], int(found["start"])


def _round(directory: Directory, request: Request, tracked: _Tracked, token: str) -> Round:
    round = directory.rounds.get(token)
    if round is None or (round.collection, round.caller) != (
        tracked.of.name,
        request.caller.app_id,
    ):
        raise _bad_token()
    if directory.now() - round.at > LIFE:
        raise _expired(f"{directory.url}/v1.0/{tracked.of.name}/delta?$deltatoken=")
    return round


def _filtered(text: str | None) -> frozenset[str] | None:
    """Only particular objects can be asked for: `id eq '…' or id eq '…'`, 50 at most."""
    if text is None:
        return None
    ids = re.findall(r"[0-9a-fA-F-]{36}", text)
    if not _IDS.fullmatch(text.strip()) or len(ids) > MOST_FILTERED:
        raise bad_request("Invalid filter clause.", code="Request_UnsupportedQuery")
    return frozenset(id.lower() for id in ids)


def _bad_token() -> GraphFailure:
    return bad_request("Badly formed token.")


def _expired(again: str) -> GraphFailure:
    message = (
        "The sync state generation is not found. The delta token is expired and data must be"
        " synchronized again."
    )
    return GraphFailure(410, "syncStateNotFound", message, headers={"Location": again})
