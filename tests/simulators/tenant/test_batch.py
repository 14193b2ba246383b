"""`$batch`: many requests in one, each on its own feet."""

from typing import Any

import pytest

from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import EVENTUAL, Asking, client, code_of, connector, message_of


def step(id: str, url: str, **more: Any) -> Json:
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
    assert answers["users"]["body"]["@odata.count"] == len(tenant.people.users) == 60
    assert len(answers["users"]["body"]["value"]) == 5


async def test_writes_work_in_a_batch(tenant: Tenant, graph: Asking) -> None:
    body = {"displayName": "Mimecast", "signInAudience": "AzureADMyOrg"}
    write = {"method": "POST", "body": body, "headers": {"Content-Type": "application/json"}}
    answers = await send(graph, {"id": "1", "url": "/applications", **write})
    assert answers["1"]["status"] == 201
    assert len(tenant.applications) == 1
    assert [call.kind for call in tenant.log[-2:]] == ["batched", "graph"]


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
        [step("1", "/organization"), step("2", "/organization", dependsOn=["1"])],
        [step("1", "/organization", colour="red")],
        [{"id": "1", "url": "/organization"}],
        [{"id": "1", "method": "POST", "url": "/applications", "body": {"displayName": "x"}}],
        ["/organization"],
    ],
)
async def test_a_wrong_batch_is_refused_whole(graph: Asking, requests: list[Any]) -> None:
    assert (await graph.post("/$batch", {"requests": requests})).status_code == 400


async def send(graph: Asking, *requests: Json) -> dict[str, Json]:
    answer = await graph.post("/$batch", {"requests": list(requests)})
    assert answer.status_code == 200, answer.text
    return {response["id"]: response for response in answer.json()["responses"]}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE"])
async def test_other_methods_are_405(graph: Asking, method: str) -> None:
    answer = await graph.http.request(method, "/applications")
    assert answer.status_code == 405
    if method == "HEAD":
        assert answer.content == b""
    else:
        assert code_of(answer) == "Request_BadRequest"


async def test_no_page_of_another_origin_is_let_in(tenant: Tenant) -> None:
    async with client(tenant) as http:
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = await http.options("/applications", headers=asked)
    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/me", "/me/messages", "/me?$select=id"])
async def test_an_application_is_nobody(graph: Asking, path: str) -> None:
    answer = await graph.get(path)
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    assert message_of(answer) == "/me request is only valid with delegated authentication flow."


@pytest.mark.parametrize("key", ["(appId='{}')", "(uniqueName='key-1')", "('{}')", "/{}"])
async def test_every_key_leads_to_everything(graph: Asking, key: str, application: Json) -> None:
    by = application["appId"] if "appId" in key else application["id"]
    path = "/applications" + key.format(by)
    secret = await graph.post(f"{path}/microsoft.graph.addPassword", {})
    removed = await graph.post(f"{path}/removePassword", {"keyId": secret.json()["keyId"]})
    owners = await graph.get(f"{path}/owners")
    federated = await graph.get(f"{path}/federatedIdentityCredentials")
    answers = [secret, removed, owners, federated, await graph.delete(path)]
    assert [answer.status_code for answer in answers] == [200, 204, 200, 200, 204]


@pytest.mark.parametrize(
    "path",
    ["/users(mail='x')", "/groups(displayName='x')", "/applications(name='x')", "/domains(x='y')"],
)
async def test_other_properties_are_no_keys(wide: Asking, path: str) -> None:
    assert (await wide.get(path)).status_code == 400


async def test_an_option_may_lack_its_dollar(graph: Asking) -> None:
    await graph.application()
    [row] = (await graph.get("/applications?select=id&TOP=1")).json()["value"]
    assert set(row) == {"id"}
    assert (await graph.get("/applications?expand=owners")).status_code == 400
    assert (await graph.get("/applications?$top=1&top=1")).status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/x" * 10_000, 414), ("/applications/%0A", 404), ("/applications?" + "a=b&" * 200, 400)],
)
async def test_odd_addresses_have_an_answer(graph: Asking, path: str, status: int) -> None:
    answer = await graph.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["innerError"]["request-id"]


async def test_a_body_has_its_limits(graph: Asking) -> None:
    json_type = {"Content-Type": "application/json"}
    large = await graph.http.post("/applications", content=b" " * 5_000_000, headers=json_type)
    packed = {**json_type, "Content-Encoding": "gzip"}
    zipped = await graph.http.post("/applications", content=b"{}", headers=packed)
    nested = await graph.http.post("/applications", content=b"[" * 9999, headers=json_type)
    answers = (large, zipped, nested)
    assert [answer.status_code for answer in answers] == [413, 415, 400]
    assert all(code_of(answer) for answer in answers)
