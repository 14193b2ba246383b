"""App consent policies and directory roles: whoever has no right to grant gets what they allow."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.playground.tenant import Credential, Tenant
from bot.playground.tenant.permissions import MICROSOFT_GRAPH, role_id, scopes
from graph.calls import Json
from tests.support.graph_caller import Asking, asking, connector

SET_UP = (
    *("Policy.ReadWrite.PermissionGrant", "Policy.Read.PermissionGrant"),
    *("RoleManagement.ReadWrite.Directory", "Application.Read.All"),
)
LIMITED = (
    *("Application.ReadWrite.OwnedBy", "Application.Read.All"),
    "DelegatedPermissionGrant.Read.All",
)
POLICIES = "/policies/permissionGrantPolicies"
ROLES = "/roleManagement/directory"
ALLOWED = role_id("User.Read.All")
DELEGATED = next(each["id"] for each in scopes() if each["value"] == "User.Read.All")
ANOTHER_TENANT = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
async def admin(tenant: Tenant) -> AsyncIterator[Asking]:
    """A Privileged Role Administrator at work."""
    async with connector(tenant, *SET_UP) as admin:
        yield admin


@pytest.fixture
def credential(tenant: Tenant) -> Credential:
    return tenant.add_administrator(LIMITED)


@pytest.fixture
async def bot(tenant: Tenant, credential: Credential) -> AsyncIterator[Asking]:
    """An application that holds no right to grant."""
    async with asking(tenant, credential) as bot:
        yield bot


@pytest.fixture
async def principal(bot: Asking) -> Json:
    return await bot.principal((await bot.application())["appId"])


async def policy(admin: Asking, *sets: Json, id: str = "aad-setup") -> str:
    made = await admin.post(POLICIES, {"id": id, "displayName": id, "description": "What it may"})
    assert made.status_code == 201, made.text
    for each in sets:
        included = await admin.post(f"{POLICIES}/{id}/includes", each)
        assert included.status_code == 201, included.text
    return id


def condition(**changes: Any) -> Json:
    return {
        "permissionType": "application",
        "resourceApplication": MICROSOFT_GRAPH,
        "permissions": [ALLOWED],
        **changes,
    }


async def role(admin: Asking, policy: str, credential: Credential) -> Json:
    """Let an application make the grants that a policy allows; return the assignment."""
    action = f"microsoft.directory/servicePrincipals/managePermissionGrantsForAll.{policy}"
    definition = {
        "displayName": "aad-setup consent",
        "isEnabled": True,
        "rolePermissions": [{"allowedResourceActions": [action]}],
    }
    defined = await admin.post(f"{ROLES}/roleDefinitions", definition)
    assert defined.status_code == 201, defined.text
    found = await admin.get(f"/servicePrincipals(appId='{credential.client_id}')")
    held = {
        "principalId": found.json()["id"],
        "roleDefinitionId": defined.json()["id"],
        "directoryScopeId": "/",
    }
    assigned = await admin.post(f"{ROLES}/roleAssignments", held)
    assert assigned.status_code == 201, assigned.text
    again = await admin.post(f"{ROLES}/roleAssignments", held)
    assert again.status_code == 400
    return dict(assigned.json())


async def scoped(bot: Asking, principal: Json, scope: str, **changes: Any) -> int:
    """Grant delegated permissions; return the status."""
    return (await bot.grant_scopes(principal, scope, **changes)).status_code


async def test_a_caller_without_rights_and_roles_grants_nothing(
    tenant: Tenant, bot: Asking, principal: Json
) -> None:
    assert (await bot.grant(principal, "User.Read.All")).status_code == 403
    assert await scoped(bot, principal, "User.Read") == 403
    assert tenant.roles_of(principal["appId"]) == tenant.scopes_of(principal["appId"]) == set()


async def test_a_role_lets_its_holder_grant_what_its_policy_includes_and_nothing_else(
    tenant: Tenant, admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    delegated = condition(permissionType="delegated", permissions=[DELEGATED])
    await role(admin, await policy(admin, condition(), delegated), credential)
    assert (await bot.grant(principal, "Directory.Read.All")).status_code == 403
    assert (await bot.grant(principal, "User.Read.All")).status_code == 201
    assert await scoped(bot, principal, "User.Read") == 403
    assert await scoped(bot, principal, "User.Read.All User.Read") == 403
    assert await scoped(bot, principal, "User.Read.All", consentType="Principal") == 403
    assert await scoped(bot, principal, "User.Read.All") == 201
    assert tenant.roles_of(principal["appId"]) == {"User.Read.All"}
    assert tenant.scopes_of(principal["appId"]) == {"User.Read.All"}


async def test_the_clients_side_and_a_wider_grant_are_limited_alike(
    tenant: Tenant, admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    delegated = condition(permissionType="delegated", permissions=[DELEGATED])
    await role(admin, await policy(admin, delegated), credential)
    path = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    resource = (await bot.resource())["id"]
    body = {"principalId": principal["id"], "resourceId": resource, "appRoleId": ALLOWED}
    assert (await bot.post(path, body)).status_code == 403
    assert await scoped(bot, principal, "User.Read.All") == 201
    [grant] = tenant.grants
    wider = {"scope": "User.Read.All User.Read"}
    assert (await bot.patch(f"/oauth2PermissionGrants/{grant['id']}", wider)).status_code == 403
    # The role grants; to take back is a right of its own.
    assert (await bot.delete(f"/oauth2PermissionGrants/{grant['id']}")).status_code == 403


UNMET: tuple[Json, ...] = (
    {"permissionType": "delegated"},
    {"permissions": [role_id("Group.Read.All")]},
    {"resourceApplication": "00000002-0000-0000-c000-000000000000"},
    {"clientApplicationTenantIds": [ANOTHER_TENANT]},
    {"clientApplicationIds": [ANOTHER_TENANT]},
    {"clientApplicationPublisherIds": ["12345"]},
    {"clientApplicationsFromVerifiedPublisherOnly": True},
    {"permissionClassification": "low"},
)


async def test_every_condition_of_a_set_must_hold(
    admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    await role(admin, await policy(admin), credential)
    includes = f"{POLICIES}/aad-setup/includes"
    for changes in UNMET:
        made = await admin.post(includes, condition(**changes))
        assert made.status_code == 201, made.text
        assert (await bot.grant(principal, "User.Read.All")).status_code == 403, changes
        assert (await admin.delete(f"{includes}/{made.json()['id']}")).status_code == 204
    await admin.post(includes, condition())
    assert (await bot.grant(principal, "User.Read.All")).status_code == 201


async def test_conditions_that_fit_or_are_left_out_hold(
    tenant: Tenant, admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    fits = condition(clientApplicationTenantIds=[tenant.id], permissionClassification="all")
    await role(admin, await policy(admin, fits), credential)
    assert (await bot.grant(principal, "User.Read.All")).status_code == 201
    wide = await policy(admin, {"permissionType": "application"}, id="wide")
    await role(admin, wide, credential)
    assert (await bot.grant(principal, "Mail.Read")).status_code == 201


async def test_without_the_set_or_the_role_it_is_over(
    admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    held = await role(admin, await policy(admin, condition()), credential)
    includes = f"{POLICIES}/aad-setup/includes"
    [made] = (await admin.get(includes)).json()["value"]
    assert made["clientApplicationTenantIds"] == ["all"]
    assert (await admin.patch(f"{includes}/{made['id']}", {})).status_code == 405
    assert (await admin.delete(f"{includes}/{made['id']}")).status_code == 204
    assert (await admin.delete(f"{includes}/{made['id']}")).status_code == 404
    assert (await bot.grant(principal, "User.Read.All")).status_code == 403
    await admin.post(includes, condition())
    assert (await bot.grant(principal, "User.Read.All")).status_code == 201
    where = {"$filter": f"principalId eq '{held['principalId']}'"}
    [assigned] = (await admin.get(f"{ROLES}/roleAssignments", params=where)).json()["value"]
    role_of = await admin.get(f"{ROLES}/roleDefinitions/{assigned['roleDefinitionId']}")
    assert role_of.json()["displayName"] == "aad-setup consent"
    assert (await admin.delete(f"{ROLES}/roleAssignments/{held['id']}")).status_code == 204
    assert (await bot.grant(principal, "Directory.Read.All")).status_code == 403


async def test_a_right_to_grant_is_limited_by_no_policy(
    tenant: Tenant, admin: Asking, bot: Asking, principal: Json, credential: Credential
) -> None:
    await role(admin, await policy(admin, condition()), credential)
    tenant.allow(credential, "AppRoleAssignment.ReadWrite.All")
    async with asking(tenant, credential) as wider:
        assert (await wider.grant(principal, "Directory.Read.All")).status_code == 201


async def test_a_role_makes_up_for_the_right_to_grant_and_for_no_other(
    tenant: Tenant, admin: Asking, bot: Asking, principal: Json
) -> None:
    blind = tenant.add_administrator([])
    await role(admin, await policy(admin, condition()), blind)
    resource = (await bot.resource())["id"]
    body = {"principalId": principal["id"], "resourceId": resource, "appRoleId": ALLOWED}
    async with asking(tenant, blind) as other:
        path = f"/servicePrincipals/{resource}/appRoleAssignedTo"
        assert (await other.post(path, body)).status_code == 403


NOTHING = "microsoft.directory/servicePrincipals/managePermissionGrantsForAll.nothing"
DEFINITION = {"displayName": "x", "isEnabled": True}
REFUSED: tuple[tuple[str, Json], ...] = (
    (POLICIES, {"id": "microsoft-mine", "displayName": "x"}),
    (POLICIES, {"id": "a b", "displayName": "x"}),
    (POLICIES, {"displayName": "x"}),
    (f"{POLICIES}/one/includes", {}),
    (f"{POLICIES}/one/includes", {"permissionType": "everything"}),
    (f"{POLICIES}/one/includes", condition(permissions=[])),
    (f"{POLICIES}/one/includes", condition(permissions=["User.Read.All"])),
    (f"{POLICIES}/one/includes", condition(resourceApplication="any")),
    (f"{ROLES}/roleDefinitions", DEFINITION),
    (
        f"{ROLES}/roleDefinitions",
        {**DEFINITION, "rolePermissions": [{"allowedResourceActions": [NOTHING]}]},
    ),
    (f"{ROLES}/roleAssignments", {"principalId": ANOTHER_TENANT, "directoryScopeId": "/"}),
)


async def test_what_entra_would_not_take_is_refused(admin: Asking) -> None:
    await policy(admin, id="one")
    for path, body in REFUSED:
        assert (await admin.post(path, body)).status_code == 400, (path, body)
    taken = await admin.post(POLICIES, {"id": "one", "displayName": "x"})
    assert taken.status_code == 409


async def test_policies_and_roles_have_rights_of_their_own(admin: Asking, wide: Asking) -> None:
    id = await policy(admin, condition())
    assert (await wide.post(POLICIES, {"id": "x", "displayName": "x"})).status_code == 403
    assert (await wide.get(f"{POLICIES}/{id}")).status_code == 403
    assert (await wide.get(f"{POLICIES}/{id}/includes")).status_code == 200  # Directory.Read.All
    assert (await wide.post(f"{ROLES}/roleDefinitions", {})).status_code == 403
    assert (await admin.delete(f"{POLICIES}/{id}")).status_code == 204
    assert (await admin.get(f"{POLICIES}/{id}")).status_code == 404


async def test_every_change_of_them_is_told(
    tenant: Tenant, admin: Asking, credential: Credential
) -> None:
    await role(admin, await policy(admin, condition()), credential)
    tenant_told = [entry["activityDisplayName"] for entry in reversed(tenant.audits)]
    assert tenant_told == [
        *("Add policy", "Update policy", "Add role definition", "Add member to role"),
    ]
