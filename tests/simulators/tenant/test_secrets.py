"""Secrets: shown once, within the policy, gone when removed."""

from datetime import datetime, timedelta

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import CREATE, Asking, code_of, connector, sign_in


async def test_a_secret_is_shown_once(graph: Asking, application: Json) -> None:
    secret = await graph.secret(application, displayName="Mimecast Key")
    read = (await graph.get(f"/applications/{application['id']}")).json()["passwordCredentials"]
    shown = {name: each for name, each in secret.items() if not name.startswith("@odata.")}
    assert read == [{**shown, "secretText": None}]
    assert secret["secretText"].startswith(secret["hint"])
    assert 16 <= len(secret["secretText"]) <= 64


async def test_without_an_end_a_secret_lives_two_years(graph: Asking) -> None:
    secret = await graph.secret(await graph.application())
    start, end = (datetime.fromisoformat(secret[f"{name}DateTime"]) for name in ("start", "end"))
    assert end - start == timedelta(days=730)


@pytest.mark.parametrize(
    "wanted",
    [
        {"secretText": "my-own-secret-of-thirty-letters"},
        {"keyId": "0f0f0f0f-0000-4000-8000-000000000000"},
        {"endDateTime": "2020-01-01T00:00:00Z"},
        {"endDateTime": "2999-01-01T00:00:00"},
        {"endDateTime": "never"},
        {"displayName": "x" * 257},
        {"colour": "red"},
    ],
)
async def test_a_wrong_wish_is_refused(graph: Asking, wanted: Json, application: Json) -> None:
    assert (await graph.add_password(application, **wanted)).status_code == 400
    assert graph.tenant.live_secrets(application["appId"]) == []


async def test_a_removed_secret_no_longer_signs_in(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application()
    await graph.principal(application["appId"])
    secret = await graph.secret(application)
    path = f"/applications/{application['id']}/removePassword"
    assert (await graph.post(path, {"keyId": secret["keyId"]})).status_code == 204
    answer = await sign_in(graph.http, tenant, application["appId"], secret["secretText"])
    assert answer.json()["error_codes"] == [7000215]
    assert (await graph.post(path, {"keyId": secret["keyId"]})).status_code == 400


async def test_no_secret_comes_with_a_new_application(tenant: Tenant, graph: Asking) -> None:
    body = {"displayName": "Mimecast", "passwordCredentials": [{"displayName": "key"}]}
    assert (await graph.post("/applications", body)).status_code == 400
    assert tenant.applications == []


async def test_a_tenant_without_restrictions_says_so(graph: Asking) -> None:
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["isEnabled"] is False
    assert policy["applicationRestrictions"]["passwordCredentials"] == []


async def test_a_ban_on_secrets_is_readable_and_enforced(tenant: Tenant, graph: Asking) -> None:
    tenant.set_policy(secrets_banned=True)
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    entry = policy["applicationRestrictions"]["passwordCredentials"][0]
    assert (entry["restrictionType"], entry["state"]) == ("passwordAddition", "enabled")
    answer = await graph.add_password(await graph.application())
    assert code_of(answer) == "CredentialTypeNotAllowedAsPerAppPolicy"


async def test_a_cap_on_lifetime_is_readable_and_enforced(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.set_policy(longest_secret=timedelta(days=90))
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["applicationRestrictions"]["passwordCredentials"][0]["maxLifetime"] == "P90D"
    application = await graph.application()
    late = await graph.add_password(application, endDateTime=_in_days(clock, 91))
    assert code_of(late) == "CredentialInvalidLifetimeAsPerAppPolicy"
    assert late.json()["error"]["details"][0]["code"] == "InvalidKeyEndDate"
    early = await graph.add_password(application, endDateTime=_in_days(clock, 89))
    assert early.status_code == 200


def _in_days(clock: MovableClock, days: int) -> str:
    return (clock.now() + timedelta(days=days)).isoformat()


MISSING = "0f0f0f0f-0000-4000-8000-000000000000"


async def test_an_application_has_one_service_principal(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application(tags=["aad-setup"])
    body = {"appId": application["appId"]}
    made = await graph.post("/servicePrincipals", body)
    again = await graph.post("/servicePrincipals", body)
    upserted = await graph.patch(
        f"/servicePrincipals(appId='{application['appId']}')", {}, headers=CREATE
    )
    assert [answer.status_code for answer in (made, again, upserted)] == [201, 409, 204]
    assert code_of(again) == "Request_MultipleObjectsWithSameKeyValue"
    assert made.json()["tags"] == ["aad-setup"]
    assert made.json()["id"] not in (application["id"], application["appId"])
    assert len(tenant.service_principals) == 1


async def test_an_application_of_somebody_else_gets_no_service_principal(graph: Asking) -> None:
    application = await graph.application()
    async with connector(graph.tenant, "Application.ReadWrite.OwnedBy") as other:
        answer = await other.post("/servicePrincipals", {"appId": application["appId"]})
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")


@pytest.mark.parametrize(
    "body", [{}, {"appId": "x"}, {"appId": MISSING, "appRoles": []}, {"appId": MISSING, "x": 1}]
)
async def test_a_wrong_body_is_refused(graph: Asking, body: Json) -> None:
    assert (await graph.post("/servicePrincipals", body)).status_code == 400


async def test_its_application_cannot_be_exchanged(graph: Asking, principal: Json) -> None:
    by_id = await graph.patch(f"/servicePrincipals/{principal['id']}", {"appId": MISSING})
    path = f"/servicePrincipals(appId='{principal['appId']}')"
    by_key = await graph.patch(path, {"appId": MISSING}, headers=CREATE)
    assert (by_id.status_code, by_key.status_code) == (400, 400)


async def test_a_deleted_service_principal_can_be_restored_without_its_grants(
    tenant: Tenant, graph: Asking, principal: Json
) -> None:
    await graph.grant(principal, "User.Read.All")
    assert (await graph.delete(f"/servicePrincipals/{principal['id']}")).status_code == 204
    path = f"/directory/deletedItems/{principal['id']}"
    assert (await graph.get(path)).json()["deletedDateTime"] is not None
    assert (await graph.http.post(f"{path}/restore")).status_code == 200
    assert (await graph.get(path)).status_code == 404
    assert len(tenant.service_principals) == 1
    assert tenant.roles_of(principal["appId"]) == set()


async def test_a_restored_one_does_not_displace_its_successor(graph: Asking) -> None:
    application = await graph.application()
    principal = await graph.principal(application["appId"])
    await graph.delete(f"/servicePrincipals/{principal['id']}")
    await graph.principal(application["appId"])
    answer = await graph.http.post(f"/directory/deletedItems/{principal['id']}/restore")
    assert answer.status_code == 409


async def test_they_are_searched_by_the_start_of_their_name(graph: Asking, principal: Json) -> None:
    found = await graph.get(
        "/servicePrincipals", params={"$filter": "startswith(displayName,'mime')"}
    )
    assert [row["id"] for row in found.json()["value"]] == [principal["id"]]
