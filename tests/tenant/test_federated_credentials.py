"""Federated identity credentials: rules of name, issuer and subject; found or made by name."""

from datetime import timedelta
from typing import Any

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from tests.tenant.asking import CREATE, Asking, code_of, connector

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


async def test_one_is_made_read_changed_and_deleted(graph: Asking, path: str) -> None:
    made = (await graph.post(path, RUNNER)).json()
    assert made["description"] is None
    for key in (f"/{made['id']}", "/ci-runner", "(name='ci-runner')"):
        assert (await graph.get(path + key)).json()["id"] == made["id"]
    one = f"{path}/{made['id']}"
    assert (await graph.patch(one, {"subject": "another"})).status_code == 204
    [row] = (await graph.get(path, params={"$filter": "subject eq 'another'"})).json()["value"]
    assert set(row) == {*RUNNER, "id", "description"}
    assert (await graph.delete(one)).status_code == 204
    assert (await graph.get(one)).status_code == (await graph.delete(one)).status_code == 404


async def test_an_upsert_by_name(graph: Asking, path: str) -> None:
    body = {name: value for name, value in RUNNER.items() if name != "name"}
    key = f"{path}(name='ci-runner')"
    assert (await graph.patch(key, body)).status_code == 404
    first = await graph.patch(key, body, headers=CREATE)
    second = await graph.patch(key, {**body, "subject": "another"}, headers=CREATE)
    assert (first.status_code, second.status_code) == (201, 204)
    assert (await graph.get(key)).json()["subject"] == "another"
    other = await graph.patch(key, {**body, "name": "other"}, headers=CREATE)
    assert other.status_code == 400


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
    clash = await graph.patch(f"{path}/second", {"subject": RUNNER["subject"]})
    renamed = await graph.patch(f"{path}/second", {"name": "third"})
    emptied = await graph.patch(f"{path}/second", {"audiences": []})
    statuses = [answer.status_code for answer in (clash, renamed, emptied)]
    assert statuses == [409, 400, 400]


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
            await other.delete(f"{path}/ci-runner"),
        ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    other_one = await graph.application("key-2")
    mixed = f"/applications/{other_one['id']}/federatedIdentityCredentials/ci-runner"
    assert (await graph.get(mixed)).status_code == 404
