"""What `az` and `m365` ask of a tenant, and the bot does not; tests/judges runs them."""

import ssl
from base64 import encodebytes
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant, running
from graph.clouds import CLOUDS, PUBLIC
from tests.support import http_proxy
from tests.support.credentials import certificate, rsa_key
from tests.support.graph_caller import Asking, client, code_of, sign_in
from tests.support.person import claims_of

VERSION = {"api-version": "2022-09-01"}
MICROSOFT_GRAPH = "servicePrincipals(appId='00000003-0000-0000-c000-000000000000')"


async def token_for(http: httpx.AsyncClient, tenant: Tenant, scope: str) -> str:
    who = tenant.administrator
    answer = await sign_in(http, tenant, who.client_id, who.client_secret, scope=scope)
    return str(answer.json()["access_token"])


# Resource Manager


async def test_a_cloud_tells_its_endpoints_to_everybody(tenant: Tenant) -> None:
    async with client(tenant) as http:
        answer = await http.get(f"{tenant.url}/arm/metadata/endpoints", params=VERSION)
        unversioned = await http.get(f"{tenant.url}/arm/metadata/endpoints")
    told = answer.json()
    assert told["authentication"]["loginEndpoint"] == tenant.url
    assert told["authentication"]["audiences"] == [told["resourceManager"]]
    assert told["microsoftGraphResourceId"] == tenant.graph_url
    assert (unversioned.status_code, code_of(unversioned)) == (400, "MissingApiVersionParameter")


async def test_subscriptions_take_a_token_for_resource_manager_and_graph_takes_none(
    tenant: Tenant,
) -> None:
    url = f"{tenant.url}/arm/subscriptions"
    async with client(tenant) as http:
        manager = await token_for(http, tenant, f"{tenant.url}/arm/.default")
        graph = await token_for(http, tenant, f"{tenant.graph_url}/.default")
        listed = await http.get(url, params=VERSION, headers=bearer(manager))
        refused = await http.get(url, params=VERSION, headers=bearer(graph))
        posted = await http.post(url, params=VERSION, headers=bearer(manager))
        at_graph = await http.get(f"{tenant.graph_url}/v1.0/users", headers=bearer(manager))
    assert (listed.status_code, listed.json()["value"]) == (200, [])
    assert "roles" not in claims_of(manager)
    assert (refused.status_code, code_of(refused)) == (401, "InvalidAuthenticationToken")
    assert posted.status_code == 405
    assert at_graph.status_code == 401


# Graph and the sign-in


async def test_a_token_names_its_application(tenant: Tenant) -> None:
    async with client(tenant) as http:
        token = await token_for(http, tenant, f"{tenant.graph_url}/.default")
    assert claims_of(token)["app_displayname"] == "aad-setup"


async def test_whoever_has_no_tenant_yet_finds_the_sign_in_and_gets_no_token(
    tenant: Tenant,
) -> None:
    who = tenant.administrator
    async with client(tenant) as http:
        path = "organizations/v2.0/.well-known/openid-configuration"
        told = (await http.get(f"{tenant.url}/{path}")).json()
        form = {"grant_type": "client_credentials", "client_id": who.client_id}
        form |= {"client_secret": who.client_secret, "scope": f"{tenant.graph_url}/.default"}
        refused = await http.post(told["token_endpoint"], data=form)
    assert told["issuer"] == f"{tenant.url}/{{tenantid}}/v2.0"
    assert "/organizations/" in told["token_endpoint"]
    assert refused.status_code == 400


async def test_the_callers_tenant_may_be_named_in_a_path(graph: Asking) -> None:
    named = await graph.get("/myorganization/applications?$select=id")
    assert named.json()["value"] == (await graph.get("/applications?$select=id")).json()["value"]
    assert (await graph.get("/otherorganization/applications")).status_code == 400


@pytest.mark.parametrize("name", ["appRoles", "oauth2PermissionScopes"])
async def test_the_permissions_of_a_resource_are_read_by_themselves(
    graph: Asking, name: str
) -> None:
    whole = (await graph.get(f"/{MICROSOFT_GRAPH}")).json()
    listed = (await graph.get(f"/servicePrincipals/{whole['id']}/{name}")).json()
    assert listed["value"] == whole[name]
    assert (await graph.get(f"/{MICROSOFT_GRAPH}/{name}?$top=1")).status_code == 400


async def test_a_certificate_may_come_in_lines(graph: Asking) -> None:
    der = certificate(rsa_key()).public_bytes(Encoding.DER)
    application = await graph.application()
    entry = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": encodebytes(der).decode()}
    changed = await graph.patch(f"/applications/{application['id']}", {"keyCredentials": [entry]})
    assert changed.status_code == 204, changed.text


# Microsoft's own host names


@pytest.fixture
async def named(clock: MovableClock, ca: trustme.CA) -> AsyncIterator[Tenant]:
    async with running(clock=clock, ca=ca, real_host_names=True) as tenant:
        yield tenant


async def ask(tenant: Tenant, url: str) -> httpx.Response:
    """Ask through a proxy that sends connections to Microsoft's hosts to this tenant."""
    trust = ssl.create_default_context(cafile=tenant.ca_file)
    async with http_proxy.running() as proxy:
        host = urlsplit(url).hostname
        proxy.stand_ins = {f"{host}:443": urlsplit(tenant.url).netloc}
        async with httpx.AsyncClient(verify=trust, proxy=proxy.url, trust_env=False) as http:
            return await http.get(url)


async def test_with_real_host_names_links_name_the_host_that_was_asked(named: Tenant) -> None:
    path = f"{named.id}/v2.0/.well-known/openid-configuration"
    told = (await ask(named, f"{PUBLIC.login}/{path}")).json()
    assert told["token_endpoint"] == f"{PUBLIC.login}/{named.id}/oauth2/v2.0/token"
    async with client(named) as http:
        here = (await http.get(f"{named.url}/{path}")).json()
    assert here["token_endpoint"].startswith(named.url)
    assert (await ask(named, f"{PUBLIC.graph}/v1.0/users")).status_code == 401
    assert (await ask(named, f"{PUBLIC.graph}/sim/state")).status_code == 403


async def test_no_other_host_is_certified(named: Tenant, tenant: Tenant) -> None:
    other = CLOUDS["china"].graph
    for asked, url in ((named, other), (tenant, PUBLIC.graph)):
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await ask(asked, f"{url}/v1.0/users")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
