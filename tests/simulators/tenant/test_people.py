"""The directory: what a sync with few rights sees, page by page."""

from collections.abc import AsyncIterator

import httpx
import pytest
import trustme

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant, running
from graph.calls import Json
from tests.support.graph_caller import EVENTUAL, Asking, code_of, connector


@pytest.fixture
async def tenant(clock: MovableClock, ca: trustme.CA) -> AsyncIterator[Tenant]:
    """One as large as the playground's, which has several pages of everything."""
    async with running(clock=clock, ca=ca) as tenant:
        yield tenant


async def pages(graph: Asking, path: str) -> list[Json]:
    rows: list[Json] = []
    answer: httpx.Response | None = await graph.get(path)
    while answer is not None:
        body = answer.json()
        rows += body["value"]
        answer = await graph.get(body["@odata.nextLink"]) if "@odata.nextLink" in body else None
    return rows


async def test_pages_hold_everybody_once(tenant: Tenant) -> None:
    async with connector(tenant, "User.Read.All") as graph:
        first = (await graph.get("/users?$select=id")).json()
        rows = await pages(graph, "/users?$top=999&$select=id,accountEnabled")
    assert len(first["value"]) == 100
    assert len({row["id"] for row in rows}) == len(rows) == 2000
    assert sum(not row["accountEnabled"] for row in rows) == 100


async def test_a_count_needs_the_consistency_level(tenant: Tenant) -> None:
    async with connector(tenant, "User.Read.All") as graph:
        plain = await graph.get("/users?$count=true&$top=1")
        counted = await graph.get("/users?$count=true&$top=1", headers=EVENTUAL)
        refused = await graph.get("/users/$count")
        number = await graph.get("/users/$count", headers=EVENTUAL)
    assert "@odata.count" not in plain.json()
    assert counted.json()["@odata.count"] == 2000
    assert (refused.status_code, number.text) == (400, "2000")


async def test_the_directory_holds_what_syncs_stumble_over(tenant: Tenant) -> None:
    users = tenant.people.users
    assert any(user["mail"] is None for user in users)
    assert any(user["userType"] == "Guest" for user in users)
    assert any(not user["accountEnabled"] for user in users)


async def test_basic_rights_show_basic_properties(tenant: Tenant) -> None:
    async with connector(tenant, "User.ReadBasic.All") as graph:
        basic = await graph.get("/users?$top=1")
        more = await graph.get("/users?$top=1&$select=accountEnabled")
    assert set(basic.json()["value"][0]) == {
        *("id", "displayName", "givenName", "mail", "surname", "userPrincipalName")
    }
    assert (more.status_code, code_of(more)) == (403, "Authorization_RequestDenied")


async def test_members_without_a_right_over_users_are_ids_only(tenant: Tenant) -> None:
    group = tenant.people.groups[0]["id"]
    async with connector(tenant, "GroupMember.Read.All") as graph:
        rows = await pages(graph, f"/groups/{group}/members")
    assert {row["id"] for row in rows} == set(tenant.people.members[group])
    assert set(rows[0]) == {"@odata.type", "id"}


async def test_organization_names_the_primary_domain(tenant: Tenant, graph: Asking) -> None:
    found = (await graph.get("/organization")).json()["value"][0]
    primary = [domain["name"] for domain in found["verifiedDomains"] if domain["isDefault"]]
    assert (found["id"], primary) == (tenant.id, [tenant.domain])


async def test_a_right_over_users_opens_little_of_the_organization(tenant: Tenant) -> None:
    async with connector(tenant, "User.Read.All") as graph:
        found = (await graph.get("/organization")).json()["value"][0]
    assert found["verifiedDomains"]
    assert found["tenantType"] is None


async def test_the_same_seed_makes_the_same_tenant(ca: trustme.CA) -> None:
    clock = MovableClock()
    async with running(clock=clock, ca=ca) as one, running(clock=clock, ca=ca) as two:
        assert (one.id, one.people.users[7]) == (two.id, two.people.users[7])
    async with running(clock=clock, ca=ca, seed=8) as other:
        assert other.id != one.id


async def test_the_resource_publishes_its_permissions_by_name(graph: Asking) -> None:
    resource = await graph.resource()
    roles = {role["value"]: role["id"] for role in resource["appRoles"]}
    scopes = {scope["value"]: scope["id"] for scope in resource["oauth2PermissionScopes"]}
    assert roles["User.Read.All"] == "df021288-bdef-4463-88db-98f22de89214"
    assert scopes["User.Read"] == "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
    assert (len(roles), len(scopes)) == (536, 600)


async def test_one_person_is_found_by_id_and_by_name(tenant: Tenant) -> None:
    user = tenant.people.users[3]
    async with connector(tenant, "User.Read.All") as graph:
        by_id = await graph.get(f"/users/{user['id']}")
        by_name = await graph.get(f"/users/{user['userPrincipalName']}")
        disabled = await graph.get("/users?$filter=accountEnabled eq false&$top=999")
    assert by_id.json()["mail"] == by_name.json()["mail"] == user["mail"]
    assert len(disabled.json()["value"]) == 100


async def test_groups_are_listed_counted_and_read(tenant: Tenant) -> None:
    async with connector(tenant, "Group.Read.All", "User.ReadBasic.All") as graph:
        rows = await pages(graph, "/groups?$top=50")
        number = await graph.get("/groups/$count", headers=EVENTUAL)
        one = await graph.get(f"/groups/{rows[0]['id']}")
        members = await pages(graph, f"/groups/{rows[0]['id']}/members")
    assert (len(rows), number.text, one.json()["id"]) == (150, "150", rows[0]["id"])
    assert "displayName" in members[0]


async def test_a_token_of_another_tenant_is_worth_nothing(graph: Asking, ca: trustme.CA) -> None:
    async with running(clock=MovableClock(), ca=ca, seed=8, users=1, groups=0) as other:
        answer = await graph.get(f"{other.url}/v1.0/organization")
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAuthenticationToken")
