"""`$batch`: many requests in one, each on its own feet."""

from typing import Any

import pytest

from bot.playground.tenant import Tenant
from tests.support.graph_caller import EVENTUAL, Asking, connector


def step(id: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "method": "GET", "url": url, **more}


async def test_each_request_has_its_own_status(tenant: Tenant) -> None:
    async with connector(tenant, "User.Read.All") as graph:
        answers = await send(
            graph,
            step("users", "/users?$top=5&$select=id&$count=true", headers=EVENTUAL),
            step("policy", "/policies/defaultAppManagementPolicy"),
            step("nobody", "/users/nobody"),
        )
    assert {id: answer["status"] for id, answer in answers.items()} == {
        "users": 200,
        "policy": 403,
        "nobody": 404,
    }
    assert answers["users"]["body"]["@odata.count"] == 2000
    assert len(answers["users"]["body"]["value"]) == 5


async def test_writes_work_in_a_batch(tenant: Tenant, graph: Asking) -> None:
    body = {"displayName": "Mimecast", "signInAudience": "AzureADMyOrg"}
    write = {"method": "POST", "body": body, "headers": {"Content-Type": "application/json"}}
    answers = await send(graph, {"id": "1", "url": "/applications", **write})
    assert answers["1"]["status"] == 201
    assert len(tenant.applications) == 1
    assert [call.kind for call in tenant.log[-2:]] == ["batched", "graph"]


async def test_what_depends_on_a_failure_is_424(graph: Asking) -> None:
    answers = await send(graph, step("1", "/users"), step("2", "/organization", dependsOn=["1"]))
    assert [answers[id]["status"] for id in ("1", "2")] == [403, 424]


async def test_one_request_in_a_batch_can_be_throttled(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.throttle("GET", "/organization$", retry_after=7)
    policy = "/policies/defaultAppManagementPolicy"
    answers = await send(graph, step("1", "/organization"), step("2", policy))
    assert (answers["1"]["status"], answers["2"]["status"]) == (429, 200)
    assert answers["1"]["headers"]["Retry-After"] == "7"


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [step(str(number), "/organization") for number in range(21)],
        [step("1", "/organization"), step("1", "/organization")],
        [step("1", "https://graph.microsoft.com/v1.0/organization")],
        [step("1", "/$batch")],
        [step("1", "/organization", dependsOn=["2"]), step("2", "/organization")],
        [step("1", "/organization", colour="red")],
        [{"id": "1", "url": "/organization"}],
        [{"id": "1", "method": "POST", "url": "/applications", "body": {"displayName": "x"}}],
        ["/organization"],
    ],
)
async def test_a_wrong_batch_is_refused_whole(graph: Asking, requests: list[Any]) -> None:
    assert (await graph.post("/$batch", {"requests": requests})).status_code == 400


async def send(graph: Asking, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = await graph.post("/$batch", {"requests": list(requests)})
    assert answer.status_code == 200, answer.text
    return {response["id"]: response for response in answer.json()["responses"]}
