"""Federated identity credentials: rules of name, issuer and subject; found or made by name."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.credentials import certificate
from tests.support.graph_caller import Asking, code_of, connector, federated, one_by_one

RUNNER = federated(subject="repo:northwind/bot:ref:refs/heads/main")


@pytest.fixture
async def path(graph: Asking) -> str:
    application = await graph.application()
    return f"/applications/{application['id']}/federatedIdentityCredentials"


async def test_one_is_made_and_found(graph: Asking, path: str) -> None:
    made = (await graph.post(path, RUNNER)).json()
    assert made["description"] is None
    where = {"$filter": f"subject eq '{RUNNER['subject']}'"}
    [row] = (await graph.get(path, params=where)).json()["value"]
    assert set(row) == {*RUNNER, "id", "description"}
    assert row["id"] == made["id"]


@pytest.mark.parametrize(
    "change",
    one_by_one(
        name=[None, "ab", "x" * 121, "not friendly", "-first"],
        issuer=["http://token.actions.example", "https://", "https://" + "x" * 600],
        subject=["", "x" * 601],
        audiences=[[], ["one", "two"], "api://AzureADTokenExchange"],
        description=["x" * 601],
        id=["0f0f0f0f-0000-4000-8000-000000000000"],
        colour=["red"],
    ),
)
async def test_a_wrong_one_is_refused(graph: Asking, path: str, change: Json) -> None:
    assert (await graph.post(path, {**RUNNER, **change})).status_code == 400
    assert (await graph.get(path)).json()["value"] == []


@pytest.mark.parametrize("name", [*RUNNER])
async def test_everything_is_required(graph: Asking, path: str, name: str) -> None:
    body = {key: value for key, value in RUNNER.items() if key != name}
    assert (await graph.post(path, body)).status_code == 400


async def test_names_and_pairs_come_once(graph: Asking, path: str) -> None:
    await graph.post(path, RUNNER)
    same_name = await graph.post(path, {**RUNNER, "subject": "another"})
    same_pair = await graph.post(path, {**RUNNER, "name": "another"})
    for answer in (same_name, same_pair):
        assert code_of(answer) == "Request_MultipleObjectsWithSameKeyValue"
    assert (await graph.post(path, {**RUNNER, "name": "second", "subject": "b"})).status_code == 201


async def test_twenty_and_no_more(graph: Asking, path: str) -> None:
    bodies = [{**RUNNER, "name": f"run-{n}", "subject": str(n)} for n in range(21)]
    statuses = [(await graph.post(path, body)).status_code for body in bodies]
    assert statuses == [201] * 20 + [400]


async def test_they_lag_like_everything(clock: MovableClock, graph: Asking, path: str) -> None:
    graph.tenant.faults.lag = 60
    await graph.post(path, RUNNER)
    assert (await graph.get(path)).json()["value"] == []
    assert (await graph.post(path, RUNNER)).status_code == 409
    clock.move(timedelta(minutes=2))
    assert len((await graph.get(path)).json()["value"]) == 1


async def test_those_of_others_are_not_ours(tenant: Tenant, graph: Asking, path: str) -> None:
    await graph.post(path, RUNNER)
    async with connector(tenant, "Application.ReadWrite.OwnedBy") as other:
        answers = [await other.get(path), await other.post(path, {**RUNNER, "name": "theirs"})]
    assert [answer.status_code for answer in answers] == [403, 403]


def entry(days: float = 90, **more: Any) -> Json:
    """Return a key credential with a certificate that began yesterday."""
    signed = certificate(ec.generate_private_key(ec.SECP256R1()), days=days, since=1)
    key = base64.b64encode(signed.public_bytes(Encoding.DER)).decode()
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key, **more}


async def put(graph: Asking, application: Json, *keys: Json) -> int:
    path = f"/applications/{application['id']}"
    return (await graph.patch(path, {"keyCredentials": list(keys)})).status_code


async def held(graph: Asking, application: Json) -> list[Json]:
    found = await graph.get(f"/applications/{application['id']}?$select=keyCredentials")
    return list(found.json()["keyCredentials"])


async def test_a_list_replaces_the_list(tenant: Tenant, graph: Asking, application: Json) -> None:
    assert await put(graph, application, entry(displayName="first")) == 204
    [first] = await held(graph, application)
    assert (first["displayName"], first["key"]) == ("first", None)
    assert len(first["customKeyIdentifier"]) == 40
    kept = {"keyId": first["keyId"], "type": first["type"], "usage": first["usage"]}
    assert await put(graph, application, kept, entry(displayName="second")) == 204
    assert [key["displayName"] for key in await held(graph, application)] == ["first", "second"]
    assert await put(graph, application, entry(displayName="third")) == 204
    assert [key["displayName"] for key in await held(graph, application)] == ["third"]
    assert "Certificates and secrets" in tenant.audits[0]["activityDisplayName"]


async def test_an_expired_entry_refuses_the_whole_list(clock: MovableClock, graph: Asking) -> None:
    application = await graph.application()
    await put(graph, application, entry(days=5 / (24 * 60)))
    [old] = await held(graph, application)
    clock.move(timedelta(minutes=6))
    answer = await graph.patch(
        f"/applications/{application['id']}",
        {"keyCredentials": [{"keyId": old["keyId"]}, entry()]},
    )
    assert (answer.status_code, code_of(answer)) == (400, "KeyCredentialsInvalidEndDate")
    assert len(await held(graph, application)) == 1


@pytest.mark.parametrize(
    "change",
    one_by_one(
        key=[None, "AAAA", "é"],
        type=[None],
        usage=["Sign"],
        endDateTime=["2999-01-01T00:00:00Z", "2001-01-01T00:00:00Z"],
        startDateTime=["2001-01-01T00:00:00Z"],
        keyId=["nonsense"],
    ),
)
async def test_a_wrong_entry_is_refused(graph: Asking, change: Json, application: Json) -> None:
    assert await put(graph, application, {**entry(), **change}) == 400
    assert await held(graph, application) == []


async def test_a_known_entry_keeps_what_it_is(graph: Asking, application: Json) -> None:
    await put(graph, application, entry())
    [key] = await held(graph, application)
    assert await put(graph, application, {**key, "displayName": "renamed"}) == 204
    assert await put(graph, application, {**key, "endDateTime": "2027-01-01T00:00:00Z"}) == 400
    assert await put(graph, application, key, {**key, "displayName": "twice"}) == 400


async def test_a_policy_limits_the_life_of_certificates(wide: Asking) -> None:
    application = await wide.application()
    limit = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P30D"}
    words = {"displayName": "x", "description": "x", "isEnabled": True}
    body = {**words, "restrictions": {"keyCredentials": [limit]}}
    made = (await wide.post("/policies/appManagementPolicies", body)).json()
    reference = f"https://graph.microsoft.com/v1.0/policies/appManagementPolicies/{made['id']}"
    path = f"/applications/{application['id']}/appManagementPolicies/$ref"
    assert (await wide.post(path, {"@odata.id": reference})).status_code == 204
    assert await put(wide, application, entry(days=90)) == 400
    assert await put(wide, application, entry(days=20)) == 204
