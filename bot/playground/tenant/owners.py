"""Owners of applications and service principals: whoever may change them with OwnedBy.

learn.microsoft.com/graph/api/application-post-owners: added by reference; owners do not lag.
"""

import re

from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, not_found
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.query import many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.service_principals import SERVICE_PRINCIPALS

_REFERENCE = re.compile(
    r"https://[^/]+/v1\.0/(?:directoryObjects|servicePrincipals)/(?P<id>[0-9a-f-]{36})"
)
_REFERENCE_NAME = "@odata.id"


def list_of_application(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.APPLICATION)


def list_of_service_principal(directory: Directory, request: Request) -> Answer:
    return _list(directory, request, Kind.SERVICE_PRINCIPAL)


def add_to_application(directory: Directory, request: Request) -> Answer:
    return _add(directory, request, Kind.APPLICATION)


def add_to_service_principal(directory: Directory, request: Request) -> Answer:
    return _add(directory, request, Kind.SERVICE_PRINCIPAL)


def _list(directory: Directory, request: Request, kind: Kind) -> Answer:
    owned = readable(directory, request, kind)
    owners = directory.owners.get(owned["id"], set())
    principals = directory.store.all_seen(Kind.SERVICE_PRINCIPAL, request.moment)
    rows = [row for row in principals if row["id"] in owners]
    return many(directory.url, request, SERVICE_PRINCIPALS, rows)


def _add(directory: Directory, request: Request, kind: Kind) -> Answer:
    body = request.json
    reference = _REFERENCE.fullmatch(str(body.get(_REFERENCE_NAME)))
    if set(body) != {_REFERENCE_NAME} or reference is None:
        raise bad_request("Invalid URL format specified in @odata.id for reference.")
    owned = changeable(directory, request, kind)
    id = reference["id"]
    if directory.store.seen(Kind.SERVICE_PRINCIPAL, id, request.moment) is None:
        raise not_found(id)
    owners = directory.owners.setdefault(owned["id"], set())
    if id in owners:
        raise bad_request(
            "One or more added object references already exist for the following modified"
            " properties: 'owners'."
        )
    owners.add(id)
    return Answer(status=204)
