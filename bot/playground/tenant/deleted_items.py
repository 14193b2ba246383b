"""Soft delete and `/directory/deletedItems`: list, read, restore, delete for good.

learn.microsoft.com/graph/api/directory-deleteditems-restore: restoring an application does not
restore its service principal. Grants go with the service principal and do not come back.
What was deleted 30 days ago goes for good by itself: …/graph/api/resources/directory.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.app_role_assignments import withdraw
from bot.playground.tenant.applications import APPLICATIONS
from bot.playground.tenant.audit_log import Activity, Touched, unchanged
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import duplicate, not_found
from bot.playground.tenant.lookup import changeable
from bot.playground.tenant.query import EntitySet, many, one
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.rights import check_change, check_read, visible
from bot.playground.tenant.service_principals import SERVICE_PRINCIPALS

_SETS: dict[Kind, EntitySet] = {
    Kind.APPLICATION: APPLICATIONS,
    Kind.SERVICE_PRINCIPAL: SERVICE_PRINCIPALS,
}
_RESTORED = {
    Kind.APPLICATION: Activity.RESTORE_APPLICATION,
    Kind.SERVICE_PRINCIPAL: Activity.RESTORE_SERVICE_PRINCIPAL,
}
_PURGED = {
    Kind.APPLICATION: Activity.HARD_DELETE_APPLICATION,
    Kind.SERVICE_PRINCIPAL: Activity.HARD_DELETE_SERVICE_PRINCIPAL,
}


KEPT = timedelta(days=30)


def purge_old(directory: Directory) -> None:
    """Delete for good what was not restored in time."""
    for id, (kind, body) in list(directory.deleted.items()):
        if directory.now() >= datetime.fromisoformat(body["deletedDateTime"]) + KEPT:
            del directory.deleted[id]
            directory.store.remove(kind, id)


def delete_application(directory: Directory, request: Request) -> Answer:
    """The service principal of the home tenant goes along."""
    application = changeable(directory, request, Kind.APPLICATION)
    principal = directory.find(Kind.SERVICE_PRINCIPAL, appId=application["appId"])
    if principal is not None:
        _bury_principal(directory, request, principal)
    _bury(directory, Kind.APPLICATION, application)
    touched = unchanged("Application", application)
    audit_log.record(directory, request.caller, Activity.DELETE_APPLICATION, touched)
    return Answer(status=204)


def delete_service_principal(directory: Directory, request: Request) -> Answer:
    principal = changeable(directory, request, Kind.SERVICE_PRINCIPAL)
    _bury_principal(directory, request, principal)
    return Answer(status=204)


def list_applications(directory: Directory, request: Request) -> Answer:
    found = [body for kind, body in directory.deleted.values() if kind is Kind.APPLICATION]
    rows = [body for body in found if _is_seen(directory, request, Kind.APPLICATION, body["id"])]
    rows = visible(directory, request.caller, rows)
    return many(directory.url, request, APPLICATIONS, rows)


def read(directory: Directory, request: Request) -> Answer:
    kind, body = _deleted(directory, request)
    check_read(directory, request.caller, body["id"])
    return _typed(directory, request, kind, body)


def restore(directory: Directory, request: Request) -> Answer:
    kind, body = _deleted(directory, request)
    check_change(directory, request.caller, body["id"])
    if directory.find(kind, appId=body["appId"]) is not None:
        raise duplicate("Another object with the same value for property appId already exists.")
    directory.claim(body["id"])
    del directory.deleted[body["id"]]
    restored = {**body, "deletedDateTime": None}
    directory.store.put(kind, body["id"], restored)
    audit_log.record(directory, request.caller, _RESTORED[kind], _touched(kind, restored))
    return _typed(directory, request, kind, restored)


def _typed(directory: Directory, request: Request, kind: Kind, body: dict[str, Any]) -> Answer:
    """Say which type it is: the path promises a directoryObject, and typed clients go by it."""
    of = replace(_SETS[kind], name="directoryObjects")
    return one(directory.url, request, of, {"@odata.type": f"#microsoft.graph.{of.type}", **body})


def purge(directory: Directory, request: Request) -> Answer:
    kind, body = _deleted(directory, request)
    check_change(directory, request.caller, body["id"])
    del directory.deleted[body["id"]]
    directory.store.remove(kind, body["id"])
    audit_log.record(directory, request.caller, _PURGED[kind], _touched(kind, body))
    return Answer(status=204)


def _touched(kind: Kind, body: dict[str, Any]) -> Touched:
    return unchanged("Application" if kind is Kind.APPLICATION else "ServicePrincipal", body)


def _deleted(directory: Directory, request: Request) -> tuple[Kind, dict[str, Any]]:
    id = request.target.keys[0].value
    if id not in directory.deleted:
        raise not_found(id)
    kind, body = directory.deleted[id]
    if not _is_seen(directory, request, kind, id):
        raise not_found(id)
    return kind, body


def _is_seen(directory: Directory, request: Request, kind: Kind, id: str) -> bool:
    """Whether the request's replica knows of the deletion: until then it shows what was deleted."""
    return directory.store.seen(kind, id, request.moment) is None


def _bury_principal(directory: Directory, request: Request, principal: dict[str, Any]) -> None:
    for row in directory.store.all(Kind.ASSIGNMENT):
        if principal["id"] in (row["principalId"], row["resourceId"]):
            withdraw(directory, row)
    for row in directory.store.all(Kind.GRANT):
        if principal["id"] in (row["clientId"], row["resourceId"]):
            directory.store.remove(Kind.GRANT, row["id"])
    _bury(directory, Kind.SERVICE_PRINCIPAL, principal)
    touched = unchanged("ServicePrincipal", principal)
    audit_log.record(directory, request.caller, Activity.REMOVE_SERVICE_PRINCIPAL, touched)


def _bury(directory: Directory, kind: Kind, body: dict[str, Any]) -> None:
    directory.store.remove(kind, body["id"])
    directory.deleted[body["id"]] = (kind, {**body, "deletedDateTime": directory.stamp()})
