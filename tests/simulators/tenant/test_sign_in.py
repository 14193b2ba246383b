"""The token endpoint, with msal as the judge of its manners."""

import asyncio
import ssl
from datetime import timedelta
from typing import Any

import httpx
import jwt
import msal  # type: ignore[import-untyped]  # msal ships no types
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Credential, Tenant, tokens
from bot.playground.tenant.cloud_names import CLOUD_NAMES
from graph.calls import Json
from graph.clouds import CLOUDS, Cloud
from tests.support.graph_caller import Asking, client, code_of, sign_in


def acquire(tenant: Tenant, credential: Credential) -> Json:
    context = ssl.create_default_context(cafile=str(tenant.ca_file))
    with httpx.Client(verify=context) as http:
        application = msal.ConfidentialClientApplication(
            credential.client_id,
            client_credential=credential.client_secret,
            authority=tenant.authority,
            instance_discovery=False,
            http_client=http,
        )
        scopes = [f"{tenant.graph_url}/.default"]
        answer: Json = application.acquire_token_for_client(scopes)
        return answer


async def test_msal_signs_in_and_the_token_carries_the_roles(tenant: Tenant) -> None:
    answer = await asyncio.to_thread(acquire, tenant, tenant.administrator)
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert "AppRoleAssignment.ReadWrite.All" in claims["roles"]
    assert (claims["tid"], claims["appid"]) == (tenant.id, tenant.administrator.client_id)


async def test_msal_reads_the_number_of_a_refusal(tenant: Tenant) -> None:
    wrong = Credential(client_id=tenant.administrator.client_id, client_secret="wrong")
    answer = await asyncio.to_thread(acquire, tenant, wrong)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])


async def test_the_published_key_verifies_a_token(tenant: Tenant) -> None:
    async with client(tenant) as http:
        found = await http.get(f"{tenant.authority}/v2.0/.well-known/openid-configuration")
        keys = (await http.get(found.json()["jwks_uri"])).json()
        token = (await sign_in(http, tenant, *_administrator(tenant))).json()["access_token"]
    key = jwt.PyJWKSet.from_dict(keys).keys[0]
    options: Any = {"verify_aud": False}
    assert jwt.decode(token, key, algorithms=["RS256"], options=options)["ver"] == "1.0"


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
async def test_a_tenant_knows_its_own_clouds_graph_and_issues_its_tokens(
    cloud: Cloud, tenant: Tenant
) -> None:
    assert tenant.initial_domain.endswith(f".{CLOUD_NAMES[cloud.name].initial_domain}")
    async with client(tenant) as http:
        for each in CLOUDS.values():
            scope = f"{each.graph}/.default"
            answer = await sign_in(http, tenant, *_administrator(tenant), scope=scope)
            if each.graph == cloud.graph:
                token = answer.json()["access_token"]
            else:
                assert answer.json()["error_codes"] == [500011]
                assert answer.json()["error_uri"] == f"{cloud.login}/error?code=500011"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == cloud.graph
    assert claims["iss"] == f"{CLOUD_NAMES[cloud.name].issuer}/{tenant.id}/"


@pytest.mark.parametrize(
    ("claim", "value"), [("aud", CLOUDS["usgov"].graph), ("iss", "https://sts.example/")]
)
async def test_graph_refuses_a_token_of_another_audience_or_issuer(
    graph: Asking, tenant: Tenant, claim: str, value: str
) -> None:
    token = graph.http.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode({**claims, claim: value}, tokens.signing_key(), algorithm="RS256")
    headers = {"Authorization": f"Bearer {forged}"}
    answer = await graph.http.get(f"{tenant.graph_url}/v1.0/organization", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_id": "0f0f0f0f-0000-4000-8000-000000000000"}, 400, "unauthorized_client", 700016),
        ({"secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"secret": ""}, 401, "invalid_client", 7000218),
        ({"scope": "User.Read.All"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://vault.example/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
    ],
)
async def test_a_refusal_has_entras_number_and_status(
    tenant: Tenant, form: dict[str, str], status: int, error: str, number: int
) -> None:
    client_id, secret = _administrator(tenant)
    wanted = {"client_id": client_id, "secret": secret, **form}
    async with client(tenant) as http:
        answer = await sign_in(http, tenant, **wanted)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")


@pytest.mark.parametrize(
    ("name", "number"), [("00000000-0000-4000-8000-000000000001", 90002), ("nowhere", 900023)]
)
async def test_an_unknown_tenant_is_told_from_a_malformed_one(
    tenant: Tenant, name: str, number: int
) -> None:
    async with client(tenant) as http:
        answer = await http.get(f"{tenant.url}/{name}/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [number])


async def test_an_application_signs_in_until_it_is_disabled_or_its_secret_expires(
    clock: MovableClock, graph: Asking, application: Json
) -> None:
    principal = await graph.principal(application["appId"])
    secret = await graph.secret(application)

    async def told() -> Json:
        answer = await sign_in(graph.http, graph.tenant, application["appId"], secret["secretText"])
        return dict(answer.json())

    token = (await told())["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert "roles" not in claims  # nothing was granted
    path = f"/servicePrincipals/{principal['id']}"
    await graph.patch(path, {"accountEnabled": False})
    assert (await told())["error_codes"] == [7000112]
    await graph.patch(path, {"accountEnabled": True})
    clock.move(timedelta(days=731))
    assert (await told())["error_codes"] == [7000222]


async def test_a_token_expires(clock: MovableClock, graph: Asking) -> None:
    clock.move(timedelta(hours=1))
    answer = await graph.get("/organization")
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAuthenticationToken")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic YTpi"])
async def test_a_call_without_a_good_token_is_401(tenant: Tenant, header: str) -> None:
    async with client(tenant) as http:
        answer = await http.get("/organization", headers={"Authorization": header})
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAuthenticationToken")


async def test_a_secret_never_reaches_the_log(tenant: Tenant, graph: Asking) -> None:
    await graph.application()
    assert tenant.administrator.client_secret not in repr([call.body for call in tenant.log])
    assert tenant.administrator.client_secret not in repr(tenant.administrator)


def _administrator(tenant: Tenant) -> tuple[str, str]:
    return tenant.administrator.client_id, tenant.administrator.client_secret
