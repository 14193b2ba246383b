"""Federated identity credentials: rules of name, issuer and subject; found or made by name."""

from datetime import timedelta
from typing import Any

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from tests.support.graph_caller import Asking, code_of, connector

RUNNER = {
    "name": "ci-runner",
    "issuer": "https://token.actions.example",
    "subject": "repo:northwind/bot:ref:refs/heads/main",
    "audiences": ["api://AzureADTokenExchange"],
}


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
    [
        {"name": None},
        {"name": "ab"},
        {"name": "x" * 121},
        {"name": "not friendly"},
        {"name": "-first"},
        {"issuer": "http://token.actions.example"},
        {"issuer": "https://"},
        {"issuer": "https://" + "x" * 600},
        {"subject": ""},
        {"subject": "x" * 601},
        {"audiences": []},
        {"audiences": ["one", "two"]},
        {"audiences": "api://AzureADTokenExchange"},
        {"description": "x" * 601},
        {"id": "0f0f0f0f-0000-4000-8000-000000000000"},
        {"colour": "red"},
    ],
)
async def test_a_wrong_one_is_refused(graph: Asking, path: str, change: dict[str, Any]) -> None:
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


async def test_they_lag_like_everything(
    tenant: Tenant, clock: MovableClock, graph: Asking, path: str
) -> None:
    tenant.faults.lag = 60
    await graph.post(path, RUNNER)
    assert (await graph.get(path)).json()["value"] == []
    assert (await graph.post(path, RUNNER)).status_code == 409
    clock.move(timedelta(minutes=2))
    assert len((await graph.get(path)).json()["value"]) == 1


async def test_those_of_others_are_not_ours(tenant: Tenant, graph: Asking, path: str) -> None:
    await graph.post(path, RUNNER)
    async with connector(tenant, "Application.ReadWrite.OwnedBy") as other:
        answers = [
            await other.get(path),
            await other.post(path, {**RUNNER, "name": "theirs"}),
        ]
    assert [answer.status_code for answer in answers] == [403, 403]
