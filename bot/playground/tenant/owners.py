"""Owners of applications and service principals: whoever may change them with OwnedBy.

learn.microsoft.com/graph/api/application-post-owners and …/application-delete-owners: people and
service principals, added and removed by reference; the last one may go. Owners do not lag.
"""

import re
from collections.abc import Mapping
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, unchanged
from bot.playground.tenant.calls import Answer, Caller, Request
from bot.playground.tenant.checks import invalid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, denied, not_found
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.query import EntitySet, many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import SERVICE_PRINCIPAL

OWNERS = EntitySet(
    name="directoryObjects",
    type="directoryObject",
    properties=SERVICE_PRINCIPAL.properties | {"userPrincipalName", "mail", "givenName", "surname"},
)
BIND = "owners@odata.bind"
MOST_BOUND = 20
_REFERENCE = re.compile(
    r"https://[^/]+/v1\.0/(?:directoryObjects|servicePrincipals|users)/(?P<id>[0-9a-fA-F-]{36})"
)
_REFERENCE_NAME = "@odata.id"
_ADDED = {
    Kind.APPLICATION: Activity.ADD_APPLICATION_OWNER,
    Kind.SERVICE_PRINCIPAL: Activity.ADD_SERVICE_PRINCIPAL_OWNER,
}
_REMOVED = {
    Kind.APPLICATION: Activity.REMOVE_APPLICATION_OWNER,
    Kind.SERVICE_PRINCIPAL: Activity.REMOVE_SERVICE_PRINCIPAL_OWNER,
}
_TYPES = {Kind.APPLICATION: "Application", Kind.SERVICE_PRINCIPAL: "ServicePrincipal"}


def list_of_application(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.APPLICATION)


def list_of_service_principal(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.SERVICE_PRINCIPAL)


def add_to_application(directory: Directory, request: Request) -> Answer:
    return _add(directory, request, Kind.APPLICATION)


def add_to_service_principal(directory: Directory, request: Request) -> Answer:
    return _add(directory, request, Kind.SERVICE_PRINCIPAL)


def remove_from_application(directory: Directory, request: Request) -> Answer:
    return _remove(directory, request, Kind.APPLICATION)


def remove_from_service_principal(directory: Directory, request: Request) -> Answer:
    return _remove(directory, request, Kind.SERVICE_PRINCIPAL)


def delete_owner(directory: Directory, request: Request) -> Answer:
    """DELETE without `$ref` means the owner itself: 403, no caller here may delete people."""
    raise denied()


def split_bound(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Take `owners@odata.bind` out of a new object: the rest, and the ids of its owners."""
    if BIND not in body:
        return body, []
    given = body[BIND]
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_BOUND:
        raise invalid(BIND)
    found = [_REFERENCE.fullmatch(str(each)) for each in given]
    ids = [each["id"] for each in found if each]
    if len(ids) != len(given) or len(set(ids)) != len(ids):
        raise bad_request("Invalid URL format specified in owners@odata.bind for reference.")
    return {name: value for name, value in body.items() if name != BIND}, ids


def check_bound(directory: Directory, request: Request, ids: list[str]) -> None:
    """Refuse owners that nobody knows (yet)."""
    for id in ids:
        if _seen(directory, request, id) is None:
            raise not_found(id)


def own(
    directory: Directory, request: Request, kind: Kind, owned: Mapping[str, Any], ids: list[str]
) -> None:
    """Make these the owners of a new object, and the caller, if its rights end at its own."""
    if "Application.ReadWrite.All" not in request.caller.roles:
        ids = [*ids, *({request.caller.principal_id} - set(ids))]
    for id in ids:
        _own(directory, request.caller, kind, owned, id)


def _list(directory: Directory, request: Request, kind: Kind) -> Answer:
    owned = readable(directory, request, kind)
    ids = directory.owners.get(owned["id"], set())
    principals = directory.store.all_seen(Kind.SERVICE_PRINCIPAL, request.moment)
    rows = [
        {"@odata.type": f"#microsoft.graph.{type}", **row}
        for type, held in (("servicePrincipal", principals), ("user", directory.people.users))
        for row in held
        if row["id"] in ids
    ]
    return many(directory.url, request, OWNERS, rows)


def _add(directory: Directory, request: Request, kind: Kind) -> Answer:
    body = request.json
    reference = _REFERENCE.fullmatch(str(body.get(_REFERENCE_NAME)))
    if set(body) != {_REFERENCE_NAME} or reference is None:
        raise bad_request("Invalid URL format specified in @odata.id for reference.")
    owned = changeable(directory, request, kind)
    id = reference["id"]
    if _seen(directory, request, id) is None:
        raise not_found(id)
    if id in directory.owners.get(owned["id"], ()):
        raise bad_request(
            "One or more added object references already exist for the following modified"
            " properties: 'owners'."
        )
    _own(directory, request.caller, kind, owned, id)
    return Answer(status=204)


def _remove(directory: Directory, request: Request, kind: Kind) -> Answer:
    owned = changeable(directory, request, kind)
    id = request.target.keys[1].value
    owners = directory.owners.get(owned["id"], set())
    if id not in owners:
        raise not_found(id)
    owners.remove(id)
    _record(directory, request.caller, _REMOVED[kind], kind, owned, id)
    return Answer(status=204)


def _own(
    directory: Directory, caller: Caller, kind: Kind, owned: Mapping[str, Any], id: str
) -> None:
    directory.owners.setdefault(owned["id"], set()).add(id)
    _record(directory, caller, _ADDED[kind], kind, owned, id)


def _seen(directory: Directory, request: Request, id: str) -> dict[str, Any] | None:
    user = next((user for user in directory.people.users if user["id"] == id), None)
    return user or directory.store.seen(Kind.SERVICE_PRINCIPAL, id, request.moment)


def _record(
    directory: Directory,
    caller: Caller,
    activity: Activity,
    kind: Kind,
    owned: Mapping[str, Any],
    id: str,
) -> None:
    principal = directory.store.get(Kind.SERVICE_PRINCIPAL, id)
    owner = unchanged("ServicePrincipal", principal) if principal else unchanged("User", {"id": id})
    audit_log.record(directory, caller, activity, owner, unchanged(_TYPES[kind], owned))
