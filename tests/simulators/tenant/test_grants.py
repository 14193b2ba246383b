"""Consent: application permissions one by one, delegated ones together, both exactly once."""

import pytest

from bot.playground.tenant import Tenant
from bot.playground.tenant.permissions import MICROSOFT_GRAPH
from graph.calls import Json
from tests.support.graph_caller import Asking, code_of, connector, message_of, sign_in


async def assigned(graph: Asking, principal: Json, role: str = "Domain.Read.All") -> dict[str, str]:
    """Return the body that grants an application permission of Microsoft Graph."""
    resource = await graph.resource()
    id = next(each["id"] for each in resource["appRoles"] if each["value"] == role)
    return {"principalId": principal["id"], "resourceId": resource["id"], "appRoleId": id}


async def test_a_granted_role_is_in_the_next_token(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    answer = await graph.grant(principal, "User.Read.All")
    assert answer.status_code == 201
    assert tenant.roles_of(principal["appId"]) == {"User.Read.All"}
    application = tenant.applications[0]
    secret = await graph.secret(application)
    signed_in = await sign_in(graph.http, tenant, principal["appId"], secret["secretText"])
    header = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    assert (await graph.get("/users", headers=header)).status_code == 200
    assert (await graph.get("/groups", headers=header)).status_code == 403


async def test_a_role_is_granted_once(graph: Asking, principal: Json) -> None:
    await graph.grant(principal, "User.Read.All")
    answer = await graph.grant(principal, "User.Read.All")
    assert (answer.status_code, code_of(answer)) == (400, "Request_BadRequest")
    assert message_of(answer) == "Permission being assigned already exists on the object"


async def test_an_unknown_role_is_refused(graph: Asking, principal: Json) -> None:
    body = await assigned(graph, principal)
    path = f"/servicePrincipals/{body['resourceId']}/appRoleAssignedTo"
    answer = await graph.post(path, {**body, "appRoleId": principal["id"]})
    assert "was not found on application" in message_of(answer)


async def test_ids_of_applications_do_not_do(graph: Asking, principal: Json) -> None:
    answers = [await graph.grant({"id": principal["appId"]}, "User.Read.All") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {400, 404}


async def test_a_revoked_role_is_gone_from_both_sides(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    assignment = (await graph.grant(principal, "User.Read.All")).json()
    mine = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    theirs = f"/servicePrincipals/{assignment['resourceId']}/appRoleAssignedTo"
    assert len((await graph.get(mine)).json()["value"]) == 1
    assert (await graph.delete(f"{theirs}/{assignment['id']}")).status_code == 204
    assert (await graph.get(mine)).json()["value"] == []
    assert (await graph.delete(f"{theirs}/{assignment['id']}")).status_code == 404
    assert tenant.roles_of(principal["appId"]) == set()


@pytest.mark.parametrize("right", ["AppRoleAssignment.ReadWrite.All", "Application.Read.All"])
async def test_granting_needs_two_rights(
    tenant: Tenant, graph: Asking, principal: Json, right: str
) -> None:
    body = await assigned(graph, principal)
    async with connector(tenant, right) as other:
        path = f"/servicePrincipals/{body['resourceId']}/appRoleAssignedTo"
        assert (await other.post(path, body)).status_code == 403


async def test_scopes_are_granted_together_and_widened_by_a_change(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    first = await graph.grant_scopes(principal, "User.Read", principalId=None)
    assert first.status_code == 201
    again = await graph.grant_scopes(principal, "User.Read")
    assert (again.status_code, message_of(again)) == (409, "Permission entry already exists.")
    where = f"clientId eq '{principal['id']}' and consentType eq 'AllPrincipals'"
    found = await graph.get("/oauth2PermissionGrants", params={"$filter": where})
    of_client = await graph.get(f"/servicePrincipals/{principal['id']}/oauth2PermissionGrants")
    assert of_client.json()["value"] == found.json()["value"]
    by_app_id = f"/servicePrincipals(appId='{MICROSOFT_GRAPH}')/oauth2PermissionGrants"
    assert (await graph.get(by_app_id)).json()["value"] == []
    # Reading is a right of its own: the administrator's write right covers it.
    path = f"/oauth2PermissionGrants/{found.json()['value'][0]['id']}"
    assert (await graph.patch(path, {"scope": "User.Read User.Read.All"})).status_code == 204
    assert tenant.scopes_of(principal["appId"]) == {"User.Read", "User.Read.All"}


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "User.Nonsense"},
        {"scope": ""},
        {"scope": "User.Read User.Read"},
        {"consentType": "Everybody"},
        {"consentType": "Principal"},
        {"principalId": "0f0f0f0f-0000-4000-8000-000000000000"},
        {"expiryTime": "2027-01-01T00:00:00Z"},
    ],
)
async def test_a_wrong_grant_is_refused(
    tenant: Tenant, graph: Asking, principal: Json, change: Json
) -> None:
    wrong = {"scope": "User.Read", **change}
    assert (await graph.grant_scopes(principal, **wrong)).status_code == 400
    assert tenant.grants == []


async def test_the_clients_side_shows_and_makes_the_same_grants(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    ids = await assigned(graph, principal)
    path = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    made = (await graph.post(path, ids)).json()
    where = {"$filter": f"resourceId eq {ids['resourceId']}"}
    [shown] = (await graph.get(path, params=where)).json()["value"]
    assert (shown["id"], shown["principalDisplayName"]) == (made["id"], "Mimecast")
    assert (await graph.delete(f"{path}/{made['id']}")).status_code == 204
    assert tenant.roles_of(principal["appId"]) == set()


@pytest.mark.parametrize("missing", ["principalId", "resourceId", "appRoleId"])
async def test_a_grant_names_all_three(graph: Asking, principal: Json, missing: str) -> None:
    ids = await assigned(graph, principal)
    path = f"/servicePrincipals/{ids['resourceId']}/appRoleAssignedTo"
    del ids[missing]
    assert (await graph.post(path, ids)).status_code == 400


async def test_a_delegated_grant_is_deleted_by_its_id(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    made = (await graph.grant_scopes(principal, "User.Read")).json()
    path = f"/oauth2PermissionGrants/{made['id']}"
    assert (await graph.patch(path, {"consentType": "Principal"})).status_code == 400
    assert (await graph.delete(path)).status_code == 204
    assert (await graph.delete(path)).status_code == 404
    assert tenant.grants == []
