"""Application permissions granted: `appRoleAssignedTo` of the resource, `appRoleAssignments` of the
client. Two views of the same rows.

learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto. All ids are object ids of
service principals. Texts of errors as other clients look for them.
"""

import base64
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched, modified, unchanged
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request, not_found
from bot.playground.tenant.lookup import seen
from bot.playground.tenant.query import EntitySet, created, many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import ASSIGNMENT

ASSIGNMENTS = EntitySet(
    name="appRoleAssignments",
    type="appRoleAssignment",
    properties=ASSIGNMENT.properties,
    filterable=frozenset({"resourceId", "appRoleId", "principalId"}),
)


def grant_on_resource(directory: Directory, request: Request) -> Answer:
    return _grant(directory, request, side="resourceId")


def grant_on_client(directory: Directory, request: Request) -> Answer:
    return _grant(directory, request, side="principalId")


def list_on_client(directory: Directory, request: Request) -> Answer:
    client = seen(directory, request, Kind.SERVICE_PRINCIPAL)
    rows = directory.store.all_seen(Kind.ASSIGNMENT, request.moment)
    rows = [row for row in rows if row["principalId"] == client["id"]]
    return many(directory.url, request, ASSIGNMENTS, rows)


def revoke_on_resource(directory: Directory, request: Request) -> Answer:
    return _revoke(directory, request, side="resourceId")


def revoke_on_client(directory: Directory, request: Request) -> Answer:
    return _revoke(directory, request, side="principalId")


def new_assignment(
    directory: Directory, principal: dict[str, Any], resource: dict[str, Any], role: str
) -> dict[str, Any]:
    key = base64.urlsafe_b64encode(directory.random.randbytes(32)).decode().rstrip("=")
    return {
        "id": key,
        "deletedDateTime": None,
        "appRoleId": role,
        "createdDateTime": directory.stamp(),
        "principalDisplayName": principal["displayName"],
        "principalId": principal["id"],
        "principalType": "ServicePrincipal",
        "resourceDisplayName": resource["displayName"],
        "resourceId": resource["id"],
    }


def withdraw(directory: Directory, assignment: dict[str, Any]) -> None:
    """Remove an assignment; tokens lose the role when the news has arrived."""
    directory.store.remove(Kind.ASSIGNMENT, assignment["id"])
    directory.store.remove(Kind.ROLE, assignment["id"])


def _grant(directory: Directory, request: Request, *, side: str) -> Answer:
    body = request.json
    ASSIGNMENT.check(body)
    for name in ("principalId", "resourceId", "appRoleId"):
        if name not in body:
            raise bad_request(f"A value is required for property '{name}'.")
    if seen(directory, request, Kind.SERVICE_PRINCIPAL)["id"] != body[side]:
        raise bad_request(f"Property '{side}' does not match the object in the request.")
    resource = directory.store.seen(Kind.SERVICE_PRINCIPAL, body["resourceId"], request.moment)
    principal = directory.store.seen(Kind.SERVICE_PRINCIPAL, body["principalId"], request.moment)
    if resource is None:
        raise bad_request("Specified resourceId was not found.")
    if principal is None:
        raise _principal_missing(directory, body["principalId"])
    directory.claim(principal["id"])
    _check_role(directory, resource, body)
    assignment = new_assignment(directory, principal, resource, body["appRoleId"])
    directory.store.put(Kind.ASSIGNMENT, assignment["id"], assignment)
    directory.store.put(Kind.ROLE, assignment["id"], assignment)
    _record(directory, request, Activity.ADD_ASSIGNMENT, assignment)
    return created(directory.url, ASSIGNMENTS, assignment)


def _check_role(directory: Directory, resource: dict[str, Any], body: dict[str, Any]) -> None:
    offered = {role.get("id") for role in resource["appRoles"] if role.get("isEnabled")}
    if body["appRoleId"] not in offered:
        message = f"Permission being assigned was not found on application '{resource['appId']}'."
        raise bad_request(message)
    wanted = {name: body[name] for name in ("principalId", "resourceId", "appRoleId")}
    if directory.find(Kind.ASSIGNMENT, **wanted) is not None:
        raise bad_request("Permission being assigned already exists on the object")


def _principal_missing(directory: Directory, id: str) -> GraphFailure:
    """Missing, or not replicated: both answers are met in the wild."""
    if directory.random.random() < 0.5:
        return not_found(id)
    return bad_request("Not a valid reference update.")


def _revoke(directory: Directory, request: Request, *, side: str) -> Answer:
    holder = seen(directory, request, Kind.SERVICE_PRINCIPAL)
    id = request.target.keys[1].value
    assignment = directory.store.seen(Kind.ASSIGNMENT, id, request.moment)
    if assignment is None or assignment[side] != holder["id"]:
        raise not_found(id)
    if directory.store.get(Kind.ASSIGNMENT, id) is None:
        raise not_found(id)
    directory.claim(assignment["principalId"])
    withdraw(directory, assignment)
    _record(directory, request, Activity.REMOVE_ASSIGNMENT, assignment)
    return Answer(status=204)


def _record(
    directory: Directory, request: Request, activity: Activity, assignment: dict[str, Any]
) -> None:
    """The log names the resource first, with the role; then who has it."""
    resource = {"id": assignment["resourceId"], "displayName": assignment["resourceDisplayName"]}
    client = {"id": assignment["principalId"], "displayName": assignment["principalDisplayName"]}
    truth = directory.store.get(Kind.SERVICE_PRINCIPAL, resource["id"]) or {"appRoles": []}
    names = [
        role.get("value") for role in truth["appRoles"] if role.get("id") == assignment["appRoleId"]
    ]
    told = {
        "AppRole.Id": assignment["appRoleId"],
        "AppRole.Value": names[0] if names else None,
        "ServicePrincipal.ObjectID": client["id"],
        "ServicePrincipal.DisplayName": client["displayName"],
    }
    adds = activity is Activity.ADD_ASSIGNMENT
    changes = tuple(
        modified(name, None if adds else value, value if adds else None)
        for name, value in told.items()
    )
    audit_log.record(
        directory,
        request.caller,
        activity,
        Touched(kind="ServicePrincipal", body=resource, changes=changes),
        unchanged("ServicePrincipal", client),
    )
