"""Graph on behalf of a user: the token's scopes and the user's directory roles both decide."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.playground.tenant import Tenant
from bot.playground.tenant.permissions import role_id
from graph.calls import Json
from tests.support.graph_caller import Asking, asking, code_of
from tests.support.limited_consent import set_up_for
from tests.support.person import (
    REDIRECT,
    SCOPES,
    consent_client,
    signed_in,
)

PRIVILEGED = "Privileged Role Administrator"


@pytest.fixture
async def made(tenant: Tenant) -> AsyncIterator[Json]:
    """A service principal that waits for consent, made by a bot that cannot give it."""
    bot = tenant.add_administrator(["Application.ReadWrite.OwnedBy", "Application.Read.All"])
    async with asking(tenant, bot) as graph:
        application = await graph.application()
        yield await graph.principal(application["appId"])


async def grants(graph: Asking, made: Json) -> list[httpx.Response]:
    """Grant an application permission and a delegated one, without a look at Microsoft Graph."""
    id = graph.tenant.assignments[0]["resourceId"]
    role = {"principalId": made["id"], "resourceId": id, "appRoleId": role_id("User.Read.All")}
    scope = {"clientId": made["id"], "consentType": "AllPrincipals", "resourceId": id}
    return [
        await graph.post(f"/servicePrincipals/{id}/appRoleAssignedTo", role),
        await graph.post("/oauth2PermissionGrants", {**scope, "scope": "User.Read.All"}),
    ]


@pytest.mark.parametrize("role", [PRIVILEGED, "Global Administrator"])
async def test_who_may_grant_grants_and_the_audit_log_names_the_user(
    tenant: Tenant, ada: Json, made: Json, role: str
) -> None:
    tenant.assign_role(ada, role)
    async with signed_in(tenant, ada) as graph:
        answers = await grants(graph, made)
        path = f"/oauth2PermissionGrants/{answers[1].json()['id']}"
        widened = await graph.patch(path, {"scope": "User.Read.All Group.Read.All"})
    assert [answer.status_code for answer in (*answers, widened)] == [201, 201, 204]
    assert tenant.roles_of(made["appId"]) == {"User.Read.All"}
    assert tenant.scopes_of(made["appId"]) == {"User.Read.All", "Group.Read.All"}
    by = [entry["initiatedBy"] for entry in tenant.audits[:3]]
    assert all(each["app"] is None for each in by)
    assert {each["user"]["userPrincipalName"] for each in by} == {ada["userPrincipalName"]}


@pytest.mark.parametrize(
    "role",
    [None, "Application Administrator", "Cloud Application Administrator", "Directory Writers"],
)
async def test_other_roles_may_not_grant(
    tenant: Tenant, ada: Json, made: Json, role: str | None
) -> None:
    if role is not None:
        tenant.assign_role(ada, role)
    async with signed_in(tenant, ada) as graph:
        answers = await grants(graph, made)
    assert [(answer.status_code, code_of(answer)) for answer in answers] == [
        (403, "Authorization_RequestDenied")
    ] * 2
    assert tenant.roles_of(made["appId"]) == tenant.scopes_of(made["appId"]) == set()


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        (("AppRoleAssignment.ReadWrite.All", "User.Read"), [403, 403]),
        (("Application.Read.All", "AppRoleAssignment.ReadWrite.All"), [201, 403]),
        (("Application.Read.All", "DelegatedPermissionGrant.ReadWrite.All"), [403, 201]),
        (("Application.Read.All",), [403, 403]),
    ],
)
async def test_a_role_does_not_make_up_for_a_scope(
    tenant: Tenant,
    ada: Json,
    made: Json,
    scopes: tuple[str, ...],
    statuses: list[int],
) -> None:
    tenant.assign_role(ada, "Global Administrator")
    async with signed_in(tenant, ada, scopes=scopes) as graph:
        answers = await grants(graph, made)
    assert [answer.status_code for answer in answers] == statuses


async def test_a_role_counts_that_is_in_the_token_and_still_held(
    tenant: Tenant, ada: Json, made: Json
) -> None:
    async with signed_in(tenant, ada) as graph:
        tenant.assign_role(ada, PRIVILEGED)
        assert (await graph.grant(made, "User.Read.All")).status_code == 403
    async with signed_in(tenant, ada) as graph:
        tenant.remove_role(ada, PRIVILEGED)
        assert (await graph.grant(made, "User.Read.All")).status_code == 403


async def test_a_custom_role_lets_a_user_grant_what_its_policy_includes(
    tenant: Tenant, ada: Json, made: Json
) -> None:
    await set_up_for(tenant, ada["id"])
    async with signed_in(tenant, ada) as graph:
        answers = await grants(graph, made)
        forbidden = await graph.grant(made, "Mail.Read")
        path = f"/servicePrincipals/{made['id']}/appRoleAssignments/{answers[0].json()['id']}"
        revoked = await graph.delete(path)
    statuses = [answer.status_code for answer in (*answers, forbidden, revoked)]
    assert statuses == [201, 201, 403, 403]
    async with signed_in(tenant, ada, scopes=SCOPES[:1]) as graph:
        assert (await graph.grant(made, "Directory.Read.All")).status_code == 403


async def test_users_read_by_their_scopes_and_change_nothing_else(
    tenant: Tenant, ada: Json, made: Json
) -> None:
    tenant.assign_role(ada, "Global Administrator")
    async with signed_in(tenant, ada) as graph:
        read = await graph.get(f"/servicePrincipals/{made['id']}")
        listed = await graph.get(f"/servicePrincipals/{made['id']}/appRoleAssignments")
        users = await graph.get("/users")
        changed = await graph.patch(f"/servicePrincipals/{made['id']}", {"notes": "x"})
        created = await graph.post("/applications", {"displayName": "theirs"})
    answers = (read, listed, users, changed, created)
    assert [answer.status_code for answer in answers] == [200, 200, 403, 403, 403]


async def test_guests_read_nothing(tenant: Tenant, made: Json) -> None:
    guests = (user for user in tenant.people.users if user["userType"] == "Guest")
    guest = next(user for user in guests if user["accountEnabled"])
    async with signed_in(tenant, guest) as graph:
        assert (await graph.get(f"/servicePrincipals/{made['id']}")).status_code == 403


async def test_an_id_token_is_no_access_token(tenant: Tenant, ada: Json) -> None:
    credential = tenant.add_consent_client(REDIRECT, assigned=[ada], scopes=SCOPES)
    async with consent_client(tenant, credential) as people, signed_in(tenant, ada) as graph:
        answer = await people.sign_in(ada)
        headers = {"Authorization": f"Bearer {answer['id_token']}"}
        assert (await graph.get("/applications", headers=headers)).status_code == 401
