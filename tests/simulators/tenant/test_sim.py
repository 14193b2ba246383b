"""`/sim/`: the same levers for programs outside."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.playground.clock import MovableClock
from bot.playground.guard import is_loopback
from bot.playground.tenant import Credential, Tenant, running
from bot.playground.tenant.assertions import TYPE
from graph.clock import SystemClock
from tests.support.credentials import certificate, issuer, rsa_key
from tests.support.graph_caller import Asking, asking, client, sign_in
from tests.support.person import REDIRECT, consent_client


async def sim(graph: Asking, path: str, body: object = None) -> httpx.Response:
    url = f"{graph.tenant.url}/sim/{path}"
    return await (graph.get(url) if body is None else graph.post(url, body))


async def test_state_shows_what_the_tenant_holds_and_no_secret(graph: Asking) -> None:
    application = await graph.application()
    secret = await graph.secret(application)
    answer = await sim(graph, "state")
    assert [row["appId"] for row in answer.json()["applications"]] == [application["appId"]]
    assert secret["secretText"] not in answer.text


async def test_the_log_can_be_asked_for_one_kind_of_call(graph: Asking) -> None:
    await graph.application()
    await graph.get("/organization")
    calls = (await sim(graph, "log?method=PATCH&path=applications")).json()["calls"]
    assert [call["status"] for call in calls] == [201]


async def test_the_log_tells_programs_apart_that_are_the_same_application(graph: Asking) -> None:
    await graph.get("/organization", headers={"User-Agent": "somebody/1"})
    await graph.post("/$batch", {"requests": [{"id": "1", "method": "GET", "url": "/groups"}]})
    seen = [call for call in graph.tenant.log if call.kind in ("graph", "batched")]
    assert [call.user_agent.partition("/")[0] for call in seen] == [
        "somebody",
        *["python-httpx"] * 2,
    ]
    assert all(call.seconds > 0 for call in seen)


async def test_consent_is_refused_by_a_fault_and_then_grants_nothing(graph: Asking) -> None:
    application = await graph.application()
    await graph.principal(application["appId"])
    await sim(graph, "faults", {"fail": [{"method": "POST", "path": "/sim/consent"}]})
    refused = await sim(graph, "consent", {"app_id": application["appId"]})
    assert (refused.status_code, graph.tenant.grants) == (403, [])
    assert (await sim(graph, "consent", {"app_id": application["appId"]})).status_code == 200
    assert graph.tenant.grants


async def test_faults_can_be_set_shown_and_cleared(tenant: Tenant, graph: Asking) -> None:
    wanted = {
        "lag": {"application": [5, 60]},
        "secret_lag": 30,
        "conflict_window": 2,
        "unreachable": False,
        "fail": [{"method": "GET", "path": "/organization", "status": 500, "code": "Oops"}],
    }
    shown = (await sim(graph, "faults", wanted)).json()
    assert (shown["lag"], shown["secret_lag"]) == ({"application": [5, 60]}, 30)
    assert (await graph.get("/organization")).status_code == 500
    await graph.delete(f"{tenant.url}/sim/faults")
    assert (await sim(graph, "faults")).json()["secret_lag"] == 0


async def test_a_held_answer_is_released_from_outside(tenant: Tenant, graph: Asking) -> None:
    await sim(graph, "faults", {"hold": [{"method": "PATCH", "path": "/applications"}]})
    call = asyncio.create_task(graph.upsert("key-1"))
    await tenant.faults.holds[0].reached.wait()
    assert (await sim(graph, "faults")).json()["holds"][0]["reached"] is True
    assert (await sim(graph, "holds/0/release", {})).status_code == 200
    assert (await call).status_code == 201
    assert (await sim(graph, "holds/9/drop", {})).status_code == 404


async def test_the_clock_can_be_moved(clock: MovableClock, graph: Asking) -> None:
    before = clock.now()
    await sim(graph, "clock", {"seconds": 3600})
    assert clock.now() - before >= timedelta(hours=1)
    assert (await sim(graph, "clock")).status_code == 200


async def test_the_machines_clock_cannot_be_moved(ca: trustme.CA) -> None:
    clock = SystemClock()
    async with running(clock=clock, ca=ca, users=1, groups=0) as tenant, client(tenant) as http:
        answer = await http.post(f"{tenant.url}/sim/clock", json={"seconds": 60})
    assert answer.status_code == 409


async def test_a_policy_and_an_administrator_can_be_made(tenant: Tenant, graph: Asking) -> None:
    await sim(graph, "policy", {"secrets_banned": False, "longest_secret_days": 90})
    made = await sim(graph, "administrators", {"rights": ["Policy.Read.All"]})
    async with asking(tenant, Credential(**made.json())) as other:
        policy = (await other.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["isEnabled"] is True
    shown = (await sim(graph, "policy")).json()
    assert (shown["secrets_banned"], shown["longest_secret_days"]) == (False, 90)
    assert shown["longest_certificate_days"] is None
    wrong = await sim(graph, "administrators", {"rights": ["Policy.Nonsense"]})
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9999"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "127.0.0.1.rebound.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
async def test_a_page_cannot_set_a_fault(
    tenant: Tenant, graph: Asking, headers: dict[str, str], status: int
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    url = f"{tenant.url}/sim/faults"
    answer = await graph.http.post(url, content=b'{"secret_lag": 7}', headers=sent)
    assert answer.status_code == status
    assert tenant.faults.secret_lag == (7 if status == 200 else 0)


@pytest.mark.parametrize("path", ["state", "log", "clock", "nonsense"])
async def test_a_page_cannot_look(tenant: Tenant, graph: Asking, path: str) -> None:
    url = f"{tenant.url}/sim/{path}"
    assert (await graph.get(url, headers={"Host": "rebound.example"})).status_code == 403
    assert (await graph.get(url, headers={"Origin": "https://evil.example"})).status_code == 403


def test_what_is_loopback_and_what_is_not() -> None:
    here = {"127.0.0.1", "127.0.0.1:80", "LOCALHOST", "[::1]", "127.8.8.8:1"}
    elsewhere = {"", "::1", "0.0.0.0", "127.0.0.1:x", "localhost.evil.example", "10.0.0.1"}
    assert {host for host in here | elsewhere | {"[::1", "@"} if is_loopback(host)} == here


async def test_an_application_is_given_a_certificate_or_a_federated_credential(
    tenant: Tenant, graph: Asking
) -> None:
    signed, cluster = certificate(rsa_key()), issuer()
    pem = signed.public_bytes(Encoding.PEM).decode()
    assert (await sim(graph, "credentials", {"certificates": pem})).status_code == 200
    key = cluster.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    wanted = {"issuer": cluster.url, "public_key": key.decode(), "subject": "bot"}
    assert (await sim(graph, "credentials", wanted)).status_code == 200
    form = {"client_assertion_type": TYPE, "client_assertion": cluster.token(subject="bot")}
    async with client(tenant) as http:
        answer = await sign_in(http, tenant, tenant.administrator.client_id, "", **form)
    assert answer.status_code == 200
    for wrong in (
        {},
        {"certificates": "x"},
        {"client_id": "x", "certificates": pem},
        wanted | {"public_key": "x"},
    ):
        assert (await sim(graph, "credentials", wrong)).status_code == 400


@pytest.mark.parametrize("assigned", [True, False])
async def test_a_machine_is_started_whose_identity_has_rights(
    tenant: Tenant, graph: Asking, assigned: bool
) -> None:
    wanted = {"rights": ["User.Read.All"], "assigned": assigned}
    told = (await sim(graph, "machines", wanted)).json()
    assert tenant.roles_of(told["client_id"]) == {"User.Read.All"}
    query = {"api-version": "2019-08-01", "resource": tenant.cloud.graph}
    query |= {"client_id": told["client_id"]} if assigned else {}
    headers = {"X-IDENTITY-HEADER": told["app_service"]["IDENTITY_HEADER"]}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(
            told["app_service"]["IDENTITY_ENDPOINT"], params=query, headers=headers
        )
    assert answer.json()["client_id"] == told["client_id"]
    assert (await sim(graph, "machines", {"rights": ["Everything"]})).status_code == 400


async def test_a_program_signs_a_user_in(tenant: Tenant, graph: Asking) -> None:
    user = tenant.people.users[0]["userPrincipalName"]
    assert (await sim(graph, "roles", {"user": user, "role": "Global Reader"})).status_code == 200
    wanted = {"redirect_uri": REDIRECT, "assigned": [user], "scopes": ["User.Read"]}
    credential = Credential(**(await sim(graph, "consent-clients", wanted)).json())
    async with consent_client(tenant, credential) as people:
        flow = await asyncio.to_thread(people.flow, scopes=["User.Read"])
        body = {"user": user, "url": flow["auth_uri"], "acrs": ["c1"]}
        landing = (await sim(graph, "sign-in", body)).json()
        answer = await asyncio.to_thread(people.redeem, flow, landing["form"])
    assert landing["url"] == REDIRECT
    assert answer["id_token_claims"]["preferred_username"] == user


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"colour": "red"}),
        ("faults", {"lag": {"colour": 1}}),
        ("faults", {"secret_lag": "long"}),
        ("faults", {"fail": [{"method": "GET"}]}),
        ("faults", {"hold": [{"method": "GET", "path": "/", "colour": 1}]}),
        ("faults", []),
        ("roles", {"user": "nobody", "role": "Global Reader"}),
        ("roles", {"user": 0, "role": "Nonsense"}),
        ("consent-clients", {"redirect_uri": REDIRECT, "assigned": ["nobody"]}),
        ("consent-clients", {"redirect_uri": REDIRECT, "colour": "red"}),
        ("sign-in", {"user": 0, "url": "https://elsewhere.example/"}),
        ("sign-in", {"user": 0, "url": "http://127.0.0.1/"}),
        ("sign-in", {"user": 0}),
    ],
)
async def test_a_wrong_wish_is_told(tenant: Tenant, graph: Asking, path: str, body: Any) -> None:
    if body and body.get("user") == 0:
        body = {**body, "user": tenant.people.users[0]["id"]}
    assert (await sim(graph, path, body)).status_code == 400
