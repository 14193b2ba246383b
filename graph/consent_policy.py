"""What lets the bot consent within limits: an app consent policy, and a directory role bound to it.

The policy includes exactly the catalogue's permissions, for applications of the own tenant. Entra
refuses the bot every other grant, whatever this program does. A condition set can be made and
deleted, but not changed.
learn.microsoft.com/entra/identity/enterprise-apps/manage-app-consent-policies, …/identity/
role-based-access-control/custom-consent-permissions

Microsoft does not say that such a role serves an application that acts as itself: graph/probe.py
proves it in a tenant.
"""

from collections.abc import Iterable

from graph.calls import Json
from graph.permissions import KIND_WORDS, MICROSOFT_GRAPH, Permission

POLICY_ID = "aad-setup"
ROLE_NAME = "aad-setup consent"
GRANTS_FOR_ALL = "microsoft.directory/servicePrincipals/managePermissionGrantsForAll."
ACTION = f"{GRANTS_FOR_ALL}{POLICY_ID}"
"""The one action that the role has."""

APPLICATION_UPDATE = "microsoft.directory/applications/permissions/update"
"""Lets its holder change which permissions any application asks for: only if `doctor --live` shows
that Entra makes no grant without it."""
MAY_HAVE = frozenset({ACTION, APPLICATION_UPDATE})

POLICIES = "/policies/permissionGrantPolicies"
INCLUDES = f"{POLICIES}/{POLICY_ID}/includes"
ROLE_DEFINITIONS = "/roleManagement/directory/roleDefinitions"
ROLE_ASSIGNMENTS = "/roleManagement/directory/roleAssignments"
WHOLE_TENANT = "/"

SET_UP_RIGHTS = (
    *("Policy.ReadWrite.PermissionGrant", "Policy.Read.PermissionGrant"),
    *("RoleManagement.ReadWrite.Directory", "Application.Read.All"),
)
"""What whoever makes them needs, once."""


def policy() -> Json:
    description = "The permissions that aad-setup may grant: those of its catalogue."
    return {"id": POLICY_ID, "displayName": POLICY_ID, "description": description}


def condition_sets(permissions: Iterable[Permission], tenant_id: str) -> list[Json]:
    """Return the condition sets of the policy: one for each kind of permission that there is."""
    wanted = list(permissions)
    return [
        {
            "permissionType": type,
            "resourceApplication": MICROSOFT_GRAPH,
            "permissions": sorted(each.id for each in wanted if each.kind is kind),
            "clientApplicationTenantIds": [tenant_id],
        }
        for kind, type in KIND_WORDS.items()
        if any(each.kind is kind for each in wanted)
    ]


def role() -> Json:
    return {
        "displayName": ROLE_NAME,
        "description": f"Grants what the app consent policy {POLICY_ID} allows.",
        "isEnabled": True,
        "rolePermissions": [{"allowedResourceActions": [ACTION]}],
    }


def role_assignment(principal_id: str, role_id: str) -> Json:
    return {
        "principalId": principal_id,
        "roleDefinitionId": role_id,
        "directoryScopeId": WHOLE_TENANT,
    }
