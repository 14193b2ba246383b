"""The default app management policy: what v1.0 tells of it, and what is enforced."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import Asking, code_of, connector

REDIRECT: Json = {"web": {"redirectUris": ["https://Vendor.example/back"]}}


async def restrictions(graph: Asking) -> Json:
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["isEnabled"] is True
    found: Json = policy["applicationRestrictions"]
    return found


async def made(graph: Asking, **body: Any) -> httpx.Response:
    wanted = {"displayName": "Mimecast", "signInAudience": "AzureADMyOrg", **body}
    return await graph.post("/applications", wanted)


async def test_a_forbidden_redirect_uri_is_refused_when_it_is_made_and_when_it_is_added(
    tenant: Tenant, graph: Asking, application: Json
) -> None:
    tenant.set_policy(redirect_domains=["other.example"])
    assert code_of(await made(graph, **REDIRECT)) == "RedirectUriNotAllowedAsPerAppPolicy"
    path = f"/applications/{application['id']}"
    assert code_of(await graph.patch(path, REDIRECT)) == "RedirectUriNotAllowedAsPerAppPolicy"
    assert len(tenant.applications) == 1
    assert tenant.applications[0]["web"]["redirectUris"] == []


async def test_what_is_there_already_is_left_alone(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application(**REDIRECT)
    tenant.set_policy(redirect_domains=["other.example"])
    path = f"/applications/{application['id']}"
    assert (await graph.patch(path, {"displayName": "x", **REDIRECT})).status_code == 204


async def test_v1_0_enforces_what_only_beta_tells(tenant: Tenant, graph: Asking) -> None:
    policy: Json = {
        "redirect_domains": ["other.example"],
        "audiences_banned": ["azureAdMultipleOrgs"],
    }
    tenant.set_policy(**policy)
    assert set(await restrictions(graph)) == {
        *("identifierUris", "keyCredentials", "passwordCredentials")
    }
    tenant.set_policy(**policy, tells_beta=True)
    told = await restrictions(graph)
    allowed = told["redirectUris"]["uriWithoutAllowedDomain"]
    assert (allowed["state"], allowed["allowedDomains"]) == ("enabled", ["other.example"])
    assert told["audiences"]["azureAdMultipleOrgs"]["state"] == "enabled"


async def test_a_banned_audience_is_refused(tenant: Tenant, graph: Asking) -> None:
    tenant.set_policy(audiences_banned=["azureAdMultipleOrgs"])
    refused = await made(graph, signInAudience="AzureADMultipleOrgs")
    assert code_of(refused) == "SignInAudienceNotAllowedAsPerAppPolicy"
    assert (await made(graph)).status_code == 201
    with pytest.raises(ValueError, match="azureAdMyOrg"):
        tenant.set_policy(audiences_banned=["azureAdMyOrg"])


async def test_an_identifier_uri_must_be_the_tenants_own(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application()
    tenant.set_policy(identifier_uris_checked=True)
    told = (await restrictions(graph))["identifierUris"]
    assert told["uriAdditionWithoutUniqueTenantIdentifier"]["state"] == "enabled"
    path = f"/applications/{application['id']}"
    refused = await graph.patch(path, {"identifierUris": ["api://sync"]})
    assert code_of(refused) == "InvalidUniqueTenantIdentifierAsPerAppPolicy"
    for name in (application["appId"], tenant.id, tenant.domain):
        done = await graph.patch(path, {"identifierUris": [f"api://{name}/sync"]})
        assert done.status_code == 204


async def test_a_service_management_reference_may_be_demanded(graph: Asking) -> None:
    graph.tenant.set_policy(reference_required=True)
    assert code_of(await made(graph)) == "ServiceTreeValueMissing"
    assert (await made(graph, serviceManagementReference="AAD-7K3F")).status_code == 201


async def test_whoever_is_exempt_is_asked_nothing_and_the_policy_tells_that_somebody_is(
    tenant: Tenant, graph: Asking
) -> None:
    policy: Json = {"secrets_banned": True, "redirect_domains": []}
    tenant.set_policy(**policy, exempt=[tenant.administrator.client_id])
    application = (await made(graph, **REDIRECT)).json()
    assert (await graph.add_password(application)).status_code == 200
    (entry,) = (await restrictions(graph))["passwordCredentials"]
    assert entry["excludeActors"]["customSecurityAttributes"]
    tenant.set_policy(**policy)
    assert (await graph.add_password(application)).status_code == 400
    (entry,) = (await restrictions(graph))["passwordCredentials"]
    assert entry["excludeActors"] is None


async def test_a_directory_is_full_until_somebody_purges(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    assert "directorySizeQuota" not in await organization(graph)
    first = await graph.application()
    tenant.set_quota(used=9, total=11)
    assert (await organization(graph))["directorySizeQuota"] == {"used": 9, "total": 11}
    second = await graph.application("key-2")
    await graph.principal(second["appId"])
    principal = {"appId": first["appId"]}
    for full in (await made(graph), await graph.post("/servicePrincipals", principal)):
        assert (full.status_code, code_of(full)) == (403, "Directory_QuotaExceeded")
    await graph.delete(f"/applications/{first['id']}")
    assert (await made(graph)).status_code == 403
    await graph.delete(f"/directory/deletedItems/{first['id']}")
    assert (await organization(graph))["directorySizeQuota"] == {"used": 10, "total": 11}
    assert (await made(graph)).status_code == 201


async def test_v1_0_does_not_declare_the_quota(tenant: Tenant, graph: Asking) -> None:
    tenant.set_quota(used=9, total=11)
    refused = await graph.get("/organization", params={"$select": "directorySizeQuota"})
    assert refused.status_code == 400


async def organization(graph: Asking) -> Json:
    answer = await graph.get("/organization")
    found: Json = answer.json()["value"][0]
    return found


POLICIES = "/policies/appManagementPolicies"
WORDS = {"displayName": "Short secrets", "description": "For the mail gateway"}
MISSING = "0f0f0f0f-0000-4000-8000-000000000000"


def lifetime(longest: str = "P30D", **more: Any) -> Json:
    return {"restrictionType": "passwordLifetime", "maxLifetime": longest, **more}


def addition(**more: Any) -> Json:
    return {"restrictionType": "passwordAddition", "maxLifetime": None, **more}


def limited(*restrictions: Json, **more: Any) -> Json:
    """Return a policy that restricts secrets like this."""
    limits = {"passwordCredentials": list(restrictions)}
    return {**WORDS, "isEnabled": True, "restrictions": limits, **more}


async def policy(graph: Asking, *restrictions: Json, **more: Any) -> Json:
    answer = await graph.post(POLICIES, limited(*restrictions, **more))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def assign(graph: Asking, application: Json, id: str) -> int:
    reference = f"https://graph.microsoft.com/v1.0/policies/appManagementPolicies/{id}"
    path = f"/applications/{application['id']}/appManagementPolicies/$ref"
    return (await graph.post(path, {"@odata.id": reference})).status_code


async def test_a_policy_is_made_read_changed_and_deleted(wide: Asking) -> None:
    made = await policy(wide, lifetime())
    path = f"{POLICIES}/{made['id']}"
    assert (await wide.get(path)).json()["restrictions"] == made["restrictions"]
    assert (await wide.patch(path, {"displayName": "Renamed"})).status_code == 204
    assert [row["displayName"] for row in (await wide.get(POLICIES)).json()["value"]] == ["Renamed"]
    assert (await wide.delete(path)).status_code == 204
    assert (await wide.get(path)).status_code == 404


async def test_an_assigned_policy_takes_the_defaults_place(tenant: Tenant, wide: Asking) -> None:
    tenant.set_policy(secrets_banned=True)
    free, bound = await wide.application("key-1"), await wide.application("key-2")
    made = await policy(wide, lifetime("P30D"))
    assert await assign(wide, bound, made["id"]) == 204
    assert code_of(await wide.add_password(free)) == "CredentialTypeNotAllowedAsPerAppPolicy"
    too_long = await wide.add_password(bound)
    assert too_long.status_code == 400
    assert code_of(too_long) == "CredentialInvalidLifetimeAsPerAppPolicy"
    assert made["id"] in too_long.text
    end = (wide.tenant.log[-1].at + timedelta(days=29)).isoformat()
    assert (await wide.add_password(bound, endDateTime=end)).status_code == 200


async def test_a_policy_can_forbid_secrets_to_one(wide: Asking) -> None:
    application = await wide.application()
    await assign(wide, application, (await policy(wide, addition()))["id"])
    refused = await wide.add_password(application)
    assert code_of(refused) == "CredentialTypeNotAllowedAsPerAppPolicy"


@pytest.mark.parametrize(
    ("restriction", "more"),
    [
        (addition(state="disabled"), {}),
        (addition(restrictForAppsCreatedAfterDateTime="2099-01-01T00:00:00Z"), {}),
        (addition(), {"isEnabled": False}),
    ],
)
async def test_what_is_not_in_force_restricts_nobody(
    wide: Asking, restriction: Json, more: Json
) -> None:
    application = await wide.application()
    await assign(wide, application, (await policy(wide, restriction, **more))["id"])
    assert (await wide.add_password(application)).status_code == 200


async def test_a_policy_that_is_off_leaves_the_default_in_force(wide: Asking) -> None:
    wide.tenant.set_policy(secrets_banned=True)
    application = await wide.application()
    await assign(wide, application, (await policy(wide, isEnabled=False))["id"])
    assert (await wide.add_password(application)).status_code == 400


async def test_one_policy_to_an_application(wide: Asking) -> None:
    application = await wide.application()
    first, second = await policy(wide), await policy(wide)
    path = f"/applications/{application['id']}/appManagementPolicies"
    assert await assign(wide, application, first["id"]) == 204
    assert await assign(wide, application, second["id"]) == 400
    assert [row["id"] for row in (await wide.get(path)).json()["value"]] == [first["id"]]
    [bound] = (await wide.get(f"{POLICIES}/{first['id']}/appliesTo")).json()["value"]
    assert bound["appId"] == application["appId"]
    assert (await wide.delete(f"{POLICIES}/{first['id']}")).status_code == 400
    assert (await wide.delete(f"{path}/{second['id']}/$ref")).status_code == 404
    assert (await wide.delete(f"{path}/{first['id']}/$ref")).status_code == 204
    assert (await wide.delete(f"{POLICIES}/{first['id']}")).status_code == 204
    assert await assign(wide, application, MISSING) == 404


@pytest.mark.parametrize(
    "body",
    [
        {"displayName": "no description"},
        {"description": "no name"},
        {**WORDS, "colour": "red"},
        {**WORDS, "id": MISSING},
        {**WORDS, "isEnabled": "yes"},
        limited({"restrictionType": "colour"}),
        limited({"state": "enabled"}),
        limited(lifetime("90 days")),
        limited(lifetime("P1M")),
        limited(lifetime("P")),
        limited(addition(), addition(state="disabled")),
        limited(addition(maxLifetime="P9D")),
        limited({**lifetime(), "maxLifetime": None}),
        {**WORDS, "restrictions": {"keyCredentials": [lifetime()]}},
        {**WORDS, "restrictions": {"applicationRestrictions": {"identifierUris": {}}}},
    ],
)
async def test_a_wrong_policy_is_refused(wide: Asking, body: Json) -> None:
    assert (await wide.post(POLICIES, body)).status_code == 400
    assert (await wide.get(POLICIES)).json()["value"] == []


async def test_reading_does_not_allow_changing(tenant: Tenant, graph: Asking) -> None:
    assert (await graph.get(POLICIES)).status_code == 200
    assert (await graph.post(POLICIES, WORDS)).status_code == 403
    application = await graph.application()
    async with connector(tenant, "Policy.ReadWrite.ApplicationConfiguration") as other:
        made = await policy(other)
        assert await assign(other, application, made["id"]) == 403


async def test_policies_are_told_in_the_audit_log(clock: MovableClock, wide: Asking) -> None:
    application = await wide.application()
    made = await policy(wide)
    await assign(wide, application, made["id"])
    assert [entry["activityDisplayName"] for entry in wide.tenant.audits[:2]] == [
        "Add policy to application",
        "Add policy",
    ]
    assert wide.tenant.audits[0]["targetResources"][1]["id"] == made["id"]
