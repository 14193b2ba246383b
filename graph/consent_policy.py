"""What lets the bot consent within limits: an app consent policy, and a directory role bound to it;
and how those of the tenant differ from them, in sentences for people.

The policy includes exactly the catalogue's permissions, for applications of the own tenant. Entra
refuses the bot every other grant, whatever this program does. A condition set can be made and
deleted, but not changed.
learn.microsoft.com/entra/identity/enterprise-apps/manage-app-consent-policies, …/identity/
role-based-access-control/custom-consent-permissions

To compare takes rights of its own (graph/rights.py), or it ends with Forbidden:
learn.microsoft.com/graph/api/permissiongrantpolicy-list-includes, …/rbacapplication-list-
roleassignments

Microsoft does not say that such a role serves an application that acts as itself: graph/probe.py
proves it in a tenant.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from graph.calls import Json, identifier
from graph.client import Client
from graph.errors import NotFound
from graph.permissions import KIND_WORDS, MICROSOFT_GRAPH, Permission
from graph.tenant_cache import Resource

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
"""The rights that it takes to make them, once."""


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


_CONDITION_SET = {
    "id": identifier,
    "permissionType": str,
    "resourceApplication": str,
    "permissions": [str],
    "clientApplicationTenantIds": [str],
    "clientApplicationIds?": [str],
    "clientApplicationPublisherIds?": [str],
    "clientApplicationsFromVerifiedPublisherOnly?": bool,
    "permissionClassification?": str,
}
_WIDEST = {
    "clientApplicationIds": ["all"],
    "clientApplicationPublisherIds": ["all"],
    "clientApplicationsFromVerifiedPublisherOnly": False,
    "permissionClassification": "all",
}
"""The conditions that the bot leaves out."""
_ROLE = {
    "displayName": str,
    "isEnabled": bool,
    "rolePermissions": [{"allowedResourceActions": [str]}],
}


@dataclass(frozen=True, kw_only=True)
class HeldRole:
    """A directory role that is assigned to the bot directly, not through a group."""

    name: str
    actions: frozenset[str]
    is_enabled: bool
    scope: str | None
    """Where it holds; None for a part of an application's own."""


async def policy_differences(
    graph: Client, permissions: Collection[Permission], *, tenant_id: str, resource: Resource
) -> list[str]:
    """Return how the policy differs from the one for these permissions. Raises GraphError."""
    try:
        found = [each async for each in graph.pages(INCLUDES, of=_CONDITION_SET)]
    except NotFound:
        return [f"The app consent policy “{POLICY_ID}” is not there."]
    names = {(KIND_WORDS[kind], id): name for (name, kind), id in resource.ids.items()}
    return list(_differences(found, condition_sets(permissions, tenant_id), names))


async def held_roles(graph: Client, client_id: str) -> list[HeldRole]:
    """Return the bot's directory roles, one for each assignment. Raises GraphError."""
    bot = await graph.get(f"/servicePrincipals(appId='{client_id}')", {"id": identifier})
    query = {"$filter": f"principalId eq '{bot['id']}'"}
    shape = {"roleDefinitionId": identifier, "directoryScopeId?": str}
    roles = []
    async for held in graph.pages(ROLE_ASSIGNMENTS, of=shape, query=query):
        role = await graph.get(f"{ROLE_DEFINITIONS}/{held['roleDefinitionId']}", _ROLE)
        actions = {it for each in role["rolePermissions"] for it in each["allowedResourceActions"]}
        roles.append(
            HeldRole(
                name=role["displayName"],
                actions=frozenset(actions),
                is_enabled=role["isEnabled"],
                scope=held.get("directoryScopeId"),
            )
        )
    return roles


def role_differences(roles: Iterable[HeldRole]) -> list[str]:
    """Return how the bot's directory roles differ from the one that it needs."""
    others = [role for role in roles if not role.actions <= MAY_HAVE]
    ours = [role for role in roles if ACTION in role.actions]
    return [
        *(f"The bot also holds “{role.name}”, which may allow more." for role in others),
        *(f"“{role.name}” is disabled." for role in ours if not role.is_enabled),
        *(
            f"“{role.name}” is assigned for {role.scope}, not for the whole tenant."
            for role in ours
            if role.scope != WHOLE_TENANT
        ),
        *([] if ours else [f"The bot holds no directory role with {ACTION}."]),
    ]


def _differences(
    found: Iterable[Json], wanted: Iterable[Json], names: dict[tuple[str, str], str]
) -> Iterator[str]:
    like_ours = [each for each in found if _is_like_one_of(wanted, each)]
    for each in found:
        if each not in like_ours:
            yield f"The condition set {each['id']} has other conditions than this program's."
    allowed, needed = _permissions(like_ours), _permissions(wanted)
    for type, id in sorted(needed - allowed):
        name = f"{names.get((type, id), id)} ({type})"
        yield f"It does not allow {name}: Entra refuses the bot such a grant."
    for type, id in sorted(allowed - needed):
        yield f"It also allows {names.get((type, id), id)} ({type})."


def _is_like_one_of(wanted: Iterable[Json], found: Json) -> bool:
    """Whether it is the condition set of one kind of permission, whatever permissions it names."""
    ours = ({**_WIDEST, **each, "permissions": found["permissions"]} for each in wanted)
    return any({**found, **each} == found for each in ours)


def _permissions(sets: Iterable[Json]) -> set[tuple[str, str]]:
    return {(each["permissionType"], id) for each in sets for id in each["permissions"]}
