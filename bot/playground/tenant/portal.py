"""The API permissions page of the Entra admin centre, as an administrator uses it.

*Grant admin consent* grants what the application's `requiredResourceAccess` holds, adds the scopes
with which people sign in, and revokes tenant-wide grants that the application no longer asks for:
learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent. What it writes lags like all
else.
"""

from collections.abc import Iterable
from typing import Any

from bot.playground.tenant import app_role_assignments, permissions
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.permission_grants import new_grant
from bot.playground.tenant.replicas import Kind

SIGN_IN_SCOPES = ("openid", "profile", "email", "offline_access", "User.Read")


def grant_admin_consent(directory: Directory, app_id: str) -> None:
    """Press the button. Raises LookupError for an application without a service principal."""
    application = directory.find(Kind.APPLICATION, appId=app_id)
    if application is None:
        raise LookupError(f"There is no application {app_id}.")
    asked = {
        (resource["resourceAppId"], each["id"])
        for resource in application["requiredResourceAccess"]
        for each in resource["resourceAccess"]
    }
    ids = {id for resource, id in asked if resource == permissions.MICROSOFT_GRAPH}
    for assignment in _of(directory, app_id, Kind.ASSIGNMENT, "principalId"):
        if assignment["appRoleId"] not in ids:
            app_role_assignments.withdraw(directory, assignment)
    roles = [each["value"] for each in permissions.app_roles() if each["id"] in ids]
    scopes = [each["value"] for each in permissions.scopes() if each["id"] in ids]
    for grant in _of(directory, app_id, Kind.GRANT, "clientId"):
        if grant["consentType"] == "AllPrincipals":
            directory.store.remove(Kind.GRANT, grant["id"])
    give(directory, app_id, roles=roles, scopes=dict.fromkeys((*scopes, *SIGN_IN_SCOPES)))


def give(
    directory: Directory,
    app_id: str,
    *,
    roles: Iterable[str] = (),
    scopes: Iterable[str] = (),
    user: str | None = None,
) -> None:
    """Grant these permissions of Microsoft Graph, be they asked for or not; scopes for one user, if
    an object id is given.
    """
    principal, graph = _principal(directory, app_id), _principal(directory)
    held = {each["appRoleId"] for each in _of(directory, app_id, Kind.ASSIGNMENT, "principalId")}
    for name in roles:
        id = permissions.role_id(name)
        if id in held:
            continue
        assignment = app_role_assignments.new_assignment(directory, principal, graph, id)
        for kind in (Kind.ASSIGNMENT, Kind.ROLE):
            directory.store.put(kind, assignment["id"], assignment)
    if wanted := " ".join(scopes):
        grant = new_grant(directory, principal["id"], graph["id"], scope=wanted)
        if user is not None:
            grant |= {"consentType": "Principal", "principalId": user}
        directory.store.put(Kind.GRANT, grant["id"], grant)


def withdraw(directory: Directory, app_id: str, *names: str) -> None:
    """Remove the application permissions of these names, and every delegated grant with one."""
    ids = {each["id"] for each in permissions.app_roles() if each["value"] in names}
    for assignment in _of(directory, app_id, Kind.ASSIGNMENT, "principalId"):
        if assignment["appRoleId"] in ids:
            app_role_assignments.withdraw(directory, assignment)
    for grant in _of(directory, app_id, Kind.GRANT, "clientId"):
        if set(names) & set((grant["scope"] or "").split()):
            directory.store.remove(Kind.GRANT, grant["id"])


def _of(directory: Directory, app_id: str, kind: Kind, side: str) -> list[dict[str, Any]]:
    id = _principal(directory, app_id)["id"]
    return [each for each in directory.store.all(kind) if each[side] == id]


def _principal(directory: Directory, app_id: str = permissions.MICROSOFT_GRAPH) -> dict[str, Any]:
    found = directory.find(Kind.SERVICE_PRINCIPAL, appId=app_id)
    if found is None:
        raise LookupError(f"{app_id} has no service principal here.")
    return found
