"""Custom directory roles and who holds them, and whether one lets its holder make a grant.

`/roleManagement/directory/roleDefinitions` and `…/roleAssignments`. Of all actions only
`managePermissionGrantsForAll.<policy>` does something here: its holder may make the grants that the
app consent policy allows (learn.microsoft.com/entra/identity/role-based-access-control/
custom-consent-permissions). Whoever lacks the rights for a grant passes only by that.
"""

import re
from collections.abc import Iterator
from typing import Any

from bot.playground.tenant import audit_log, consent_policies
from bot.playground.tenant.audit_log import Activity, Touched
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import (
    Shape,
    filled_text,
    flag,
    guid,
    invalid,
    listed,
    record,
    text,
)
from bot.playground.tenant.consent_policies import Event
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request, denied, not_found
from bot.playground.tenant.query import EntitySet, created, many, one
from bot.playground.tenant.replicas import Kind

GRANTS_FOR_ALL = "microsoft.directory/servicePrincipals/managePermissionGrantsForAll."
TENANT_WIDE = "/"
_ACTION = re.compile(r"microsoft\.directory/[A-Za-z.]+(/[A-Za-z0-9_.-]+)+")


def _action(name: str, value: object) -> None:
    if not isinstance(value, str) or not _ACTION.fullmatch(value):
        raise invalid(name)


_PERMISSION = Shape(
    name="unifiedRolePermission",
    writable={"allowedResourceActions": listed(_action), "condition": text(1024)},
    never_null=frozenset({"allowedResourceActions"}),
)
DEFINITION = Shape(
    name="unifiedRoleDefinition",
    writable={
        "description": text(1024),
        "displayName": filled_text(256),
        "isEnabled": flag,
        "rolePermissions": listed(record(_PERMISSION)),
    },
    read_only=frozenset({"id", "isBuiltIn", "resourceScopes", "templateId", "version"}),
    never_null=frozenset({"displayName", "isEnabled", "rolePermissions"}),
)
ASSIGNMENT = Shape(
    name="unifiedRoleAssignment",
    writable={"directoryScopeId": text(256), "principalId": guid, "roleDefinitionId": guid},
    read_only=frozenset({"appScopeId", "condition", "id"}),
    never_null=frozenset({"directoryScopeId", "principalId", "roleDefinitionId"}),
)
_DEFINITIONS = EntitySet(
    name="roleManagement/directory/roleDefinitions",
    type="unifiedRoleDefinition",
    properties=DEFINITION.properties,
)
_ASSIGNMENTS = EntitySet(
    name="roleManagement/directory/roleAssignments",
    type="unifiedRoleAssignment",
    properties=ASSIGNMENT.properties,
    filterable=frozenset({"principalId", "roleDefinitionId"}),
)


def define(directory: Directory, request: Request) -> Answer:
    body = request.json
    DEFINITION.check(body)
    _require(body, "displayName", "isEnabled", "rolePermissions")
    for action in _actions(body):
        policy = action.removeprefix(GRANTS_FOR_ALL)
        if policy != action and policy not in directory.consent_policies:
            raise bad_request(f"The action '{action}' names a policy that does not exist.")
    id = directory.new_id()
    made = {"id": id, "description": None, "isBuiltIn": False, "templateId": id, **_plain(body)}
    directory.role_definitions[id] = made
    _record(directory, request, Activity.ADD_ROLE, made)
    return created(directory.url, _DEFINITIONS, made)


def read_definition(directory: Directory, request: Request) -> Answer:
    id = request.target.keys[0].value
    if id not in directory.role_definitions:
        raise not_found(id)
    return one(directory.url, request, _DEFINITIONS, directory.role_definitions[id])


def assign(directory: Directory, request: Request) -> Answer:
    body = request.json
    ASSIGNMENT.check(body)
    _require(body, "directoryScopeId", "principalId", "roleDefinitionId")
    if body["directoryScopeId"] != TENANT_WIDE:
        raise bad_request("This tenant knows role assignments for all of it only.")
    role = directory.role_definitions.get(body["roleDefinitionId"])
    if role is None or not role["isEnabled"]:
        raise not_found(body["roleDefinitionId"])
    users = {user["id"] for user in directory.people.users}
    principal = directory.store.get(Kind.SERVICE_PRINCIPAL, body["principalId"])
    if principal is None and body["principalId"] not in users:
        raise not_found(body["principalId"])
    wanted = _plain(body)
    if any(wanted.items() <= held.items() for held in directory.role_assignments.values()):
        raise _conflicting()
    made = {"id": directory.new_id(), **wanted}
    directory.role_assignments[made["id"]] = made
    _record(directory, request, Activity.ADD_ROLE_MEMBER, role)
    return created(directory.url, _ASSIGNMENTS, made)


def list_assignments(directory: Directory, request: Request) -> Answer:
    return many(directory.url, request, _ASSIGNMENTS, list(directory.role_assignments.values()))


def unassign(directory: Directory, request: Request) -> Answer:
    id = request.target.keys[0].value
    gone = directory.role_assignments.pop(id, None)
    if gone is None:
        raise not_found(id)
    role = directory.role_definitions[gone["roleDefinitionId"]]
    _record(directory, request, Activity.REMOVE_ROLE_MEMBER, role)
    return Answer(status=204)


def check_assignment(directory: Directory, request: Request) -> None:
    """Refuse an application permission that no role of the caller allows to grant."""
    body = request.json
    resource = _principal(directory, body.get("resourceId"))
    _check(
        directory,
        request,
        "application",
        body.get("principalId"),
        resource,
        [body.get("appRoleId")],
    )


def check_grant(directory: Directory, request: Request) -> None:
    """Refuse delegated permissions that no role of the caller allows to grant for everybody."""
    _check_scopes(directory, request, request.json)


def check_widened(directory: Directory, request: Request) -> None:
    """Refuse to change a grant into one that no role of the caller allows."""
    grant = directory.store.get(Kind.GRANT, request.target.keys[0].value) or {}
    _check_scopes(directory, request, {**grant, "scope": request.json.get("scope")})


def _check_scopes(directory: Directory, request: Request, grant: dict[str, Any]) -> None:
    scope = grant.get("scope")
    if grant.get("consentType") != "AllPrincipals" or not isinstance(scope, str):
        raise denied()
    resource = _principal(directory, grant.get("resourceId"))
    ids = {offer.get("value"): offer["id"] for offer in resource["oauth2PermissionScopes"]}
    wanted = [ids.get(name) for name in scope.split()]
    _check(directory, request, "delegated", grant.get("clientId"), resource, wanted)


def _check(
    directory: Directory,
    request: Request,
    type: str,
    client_id: object,
    resource: dict[str, Any],
    permissions: list[Any],
) -> None:
    client = _principal(directory, client_id)
    policies = list(_policies_of(directory, request.caller.principal_id))
    for permission in permissions or [None]:
        event = Event(
            type=type,
            resource=resource["appId"],
            permission=str(permission),
            client=client["appId"],
            client_tenant=client["appOwnerOrganizationId"],
        )
        if not any(consent_policies.allows(directory, policy, event) for policy in policies):
            raise denied()


def _policies_of(directory: Directory, principal_id: str) -> Iterator[str]:
    """Yield the ids of the policies within which a principal may make grants."""
    for held in directory.role_assignments.values():
        if held["principalId"] == principal_id:
            role = directory.role_definitions[held["roleDefinitionId"]]
            for action in _actions(role) if role["isEnabled"] else ():
                if action.startswith(GRANTS_FOR_ALL):
                    yield action.removeprefix(GRANTS_FOR_ALL)


def _principal(directory: Directory, id: object) -> dict[str, Any]:
    """Return a service principal as it truly is; what it may get is no question of replicas."""
    found = directory.store.get(Kind.SERVICE_PRINCIPAL, id) if isinstance(id, str) else None
    if found is None:
        raise denied()
    return found


def _actions(role: dict[str, Any]) -> Iterator[str]:
    for permission in role["rolePermissions"]:
        yield from permission.get("allowedResourceActions", ())


def _require(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if name not in body:
            raise bad_request(f"A value is required for property '{name}'.")


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not name.startswith("@odata.")}


def _record(
    directory: Directory, request: Request, activity: Activity, role: dict[str, Any]
) -> None:
    audit_log.record(directory, request.caller, activity, Touched(kind="Role", body=role))


def _conflicting() -> GraphFailure:
    message = (
        "A conflicting object with one or more of the specified property values is present in the"
        " directory."
    )
    return bad_request(message)
