"""The default app management policy: what v1.0 tells of it, and what is enforced."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from tests.support.graph_caller import Asking, code_of

REDIRECT: dict[str, Any] = {"web": {"redirectUris": ["https://Vendor.example/back"]}}


async def restrictions(graph: Asking) -> dict[str, Any]:
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["isEnabled"] is True
    found: dict[str, Any] = policy["applicationRestrictions"]
    return found


async def made(graph: Asking, **body: Any) -> httpx.Response:
    wanted = {"displayName": "Mimecast", "signInAudience": "AzureADMyOrg", **body}
    return await graph.post("/applications", wanted)


@pytest.mark.parametrize(
    "policy",
    [
        {"redirect_domains": ["other.example"]},
        {"redirect_domains_banned": ["VENDOR.example"]},
        {"redirect_schemes_banned": ["https"]},
    ],
)
async def test_a_forbidden_redirect_uri_is_refused_when_it_is_made_and_when_it_is_added(
    tenant: Tenant, graph: Asking, policy: dict[str, Any]
) -> None:
    application = await graph.application()
    tenant.set_policy(**policy)
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
    policy: dict[str, Any] = {
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


async def test_a_service_management_reference_may_be_demanded(
    tenant: Tenant, graph: Asking
) -> None:
    tenant.set_policy(reference_required=True)
    assert code_of(await made(graph)) == "ServiceTreeValueMissing"
    assert (await made(graph, serviceManagementReference="AAD-7K3F")).status_code == 201


async def test_whoever_is_exempt_is_asked_nothing_and_the_policy_tells_that_somebody_is(
    tenant: Tenant, graph: Asking
) -> None:
    policy: dict[str, Any] = {"secrets_banned": True, "redirect_domains": []}
    tenant.set_policy(**policy, exempt=[tenant.administrator.client_id])
    application = (await made(graph, **REDIRECT)).json()
    assert (await graph.add_password(application)).status_code == 200
    (entry,) = (await restrictions(graph))["passwordCredentials"]
    assert entry["excludeActors"]["customSecurityAttributes"]
    tenant.set_policy(**policy)
    assert (await graph.add_password(application)).status_code == 400
    (entry,) = (await restrictions(graph))["passwordCredentials"]
    assert entry["excludeActors"] is None


async def test_older_applications_may_be_left_alone(tenant: Tenant, graph: Asking) -> None:
    since = datetime.now(UTC) + timedelta(days=1)
    tenant.set_policy(redirect_domains=[], for_applications_since=since)
    assert (await made(graph, **REDIRECT)).status_code == 201


async def test_a_directory_is_full_until_somebody_purges(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    assert "directorySizeQuota" not in await organization(graph)
    first = await graph.application()
    tenant.set_quota(used=9, total=11)
    assert (await organization(graph))["directorySizeQuota"] == {"used": 9, "total": 11}
    second = await graph.application("key-2")
    await graph.principal(second["appId"])
    for full in (
        await made(graph),
        await graph.post("/servicePrincipals", {"appId": first["appId"]}),
    ):
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


async def organization(graph: Asking) -> dict[str, Any]:
    answer = await graph.get("/organization")
    found: dict[str, Any] = answer.json()["value"][0]
    return found
