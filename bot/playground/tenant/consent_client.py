"""The application at which approvers sign in, so that their own rights grant the permissions."""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.playground.tenant import app_role_assignments, microsoft_graph
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.permission_grants import new_grant
from bot.playground.tenant.replicas import Kind

SCOPES = (
    "Application.Read.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
"""What it takes to grant application and delegated permissions."""
_NO_ROLE = "00000000-0000-0000-0000-000000000000"
"""The role of users who are assigned to an application that has none."""

User = Mapping[str, Any]


def set_up(
    directory: Directory,
    app_id: str,
    redirect_uri: str,
    *,
    assigned: Iterable[User] | None,
    scopes: Iterable[str],
    public_flows: bool,
) -> None:
    """Make an application a client for these users, or for all of them, effective at once."""
    store = directory.store
    application = directory.find(Kind.APPLICATION, appId=app_id)
    client = directory.find(Kind.SERVICE_PRINCIPAL, appId=app_id)
    graph = microsoft_graph.principal(directory)
    assert application is not None
    assert client is not None
    web = {**application["web"], "redirectUris": [redirect_uri]}
    name = {"displayName": "aad-setup consent"}
    changed = {"web": web, "isFallbackPublicClient": public_flows}
    store.plant(Kind.APPLICATION, application["id"], {**application, **name, **changed})
    client = {
        **client,
        **name,
        "appDisplayName": name["displayName"],
        "replyUrls": [redirect_uri],
        "appRoleAssignmentRequired": assigned is not None,
    }
    store.plant(Kind.SERVICE_PRINCIPAL, client["id"], client)
    users: list[User | None] = [None] if assigned is None else list(assigned)
    for user in users:
        grant = new_grant(directory, client["id"], graph["id"], scope=" ".join(scopes))
        if user is not None:
            grant |= {"consentType": "Principal", "principalId": user["id"]}
            _assign(directory, user, client)
        if grant["scope"]:
            store.plant(Kind.GRANT, grant["id"], grant)


def _assign(directory: Directory, user: User, client: dict[str, Any]) -> None:
    row = app_role_assignments.new_assignment(directory, dict(user), client, _NO_ROLE)
    row["principalType"] = "User"
    directory.store.plant(Kind.ASSIGNMENT, row["id"], row)
