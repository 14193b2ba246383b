"""Owners of applications and service principals: whoever may change them with OwnedBy.

learn.microsoft.com/graph/api/application-post-owners: people and service principals, added by
reference. Owners do not lag.
"""

import re
from collections.abc import Mapping
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, unchanged
from bot.playground.tenant.calls import Answer, Caller, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, not_found
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.query import EntitySet, many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import SERVICE_PRINCIPAL

OWNERS = EntitySet(
    name="directoryObjects",
    type="directoryObject",
    properties=SERVICE_PRINCIPAL.properties | {"userPrincipalName", "mail", "givenName", "surname"},
)
_REFERENCE = re.compile(
    r"https://[^/]+/v1\.0/(?:directoryObjects|servicePrincipals|users)/(?P<id>[0-9a-fA-F-]{36})"
)
_REFERENCE_NAME = "@odata.id"
_ADDED = {
    Kind.APPLICATION: Activity.ADD_APPLICATION_OWNER,
    Kind.SERVICE_PRINCIPAL: Activity.ADD_SERVICE_PRINCIPAL_OWNER,
}
_TYPES = {Kind.APPLICATION: "Application", Kind.SERVICE_PRINCIPAL: "ServicePrincipal"}


def list_of_application(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.APPLICATION)


def list_of_service_principal(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.SERVICE_PRINCIPAL)


def add_to_application(directory: Directory, request: Request) -> Answer:
    body = request.json
    reference = _REFERENCE.fullmatch(str(body.get(_REFERENCE_NAME)))
    if set(body) != {_REFERENCE_NAME} or reference is None:
        raise bad_request("Invalid URL format specified in @odata.id for reference.")
    application = changeable(directory, request, Kind.APPLICATION)
    id = reference["id"]
    if _seen(directory, request, id) is None:
        raise not_found(id)
    if id in directory.owners.get(application["id"], ()):
        raise bad_request(
            "One or more added object references already exist for the following modified"
            " properties: 'owners'."
        )
    _own(directory, request.caller, Kind.APPLICATION, application, id)
    return Answer(status=204)


def own(directory: Directory, caller: Caller, kind: Kind, owned: Mapping[str, Any]) -> None:
    """Make the caller the owner of a new object, if its rights end at its own."""
    if "Application.ReadWrite.All" not in caller.roles:
        _own(directory, caller, kind, owned, caller.principal_id)


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


def _own(
    directory: Directory, caller: Caller, kind: Kind, owned: Mapping[str, Any], id: str
) -> None:
    directory.owners.setdefault(owned["id"], set()).add(id)
    principal = directory.store.get(Kind.SERVICE_PRINCIPAL, id)
    owner = unchanged("ServicePrincipal", principal) if principal else unchanged("User", {"id": id})
    audit_log.record(directory, caller, _ADDED[kind], owner, unchanged(_TYPES[kind], owned))


def _seen(directory: Directory, request: Request, id: str) -> dict[str, Any] | None:
    user = next((user for user in directory.people.users if user["id"] == id), None)
    return user or directory.store.seen(Kind.SERVICE_PRINCIPAL, id, request.moment)
