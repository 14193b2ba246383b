"""Service principals: one for each application, made, changed and deleted on their own."""

from typing import Any

import pytest

from bot.playground.tenant import Tenant
from tests.support.graph_caller import CREATE, Asking, code_of, connector

MISSING = "0f0f0f0f-0000-4000-8000-000000000000"


async def test_an_application_has_one_service_principal(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application(tags=["aad-setup"])
    body = {"appId": application["appId"]}
    made = await graph.post("/servicePrincipals", body)
    again = await graph.post("/servicePrincipals", body)
    upserted = await graph.patch(
        f"/servicePrincipals(appId='{application['appId']}')", {}, headers=CREATE
    )
    assert [answer.status_code for answer in (made, again, upserted)] == [201, 409, 204]
    assert code_of(again) == "Request_MultipleObjectsWithSameKeyValue"
    assert made.json()["tags"] == ["aad-setup"]
    assert made.json()["id"] not in (application["id"], application["appId"])
    assert len(tenant.service_principals) == 1


async def test_an_application_of_somebody_else_gets_no_service_principal(
    tenant: Tenant, graph: Asking
) -> None:
    application = await graph.application()
    async with connector(tenant, "Application.ReadWrite.OwnedBy") as other:
        answer = await other.post("/servicePrincipals", {"appId": application["appId"]})
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")


@pytest.mark.parametrize(
    "body", [{}, {"appId": "x"}, {"appId": MISSING, "appRoles": []}, {"appId": MISSING, "x": 1}]
)
async def test_a_wrong_body_is_refused(graph: Asking, body: dict[str, Any]) -> None:
    assert (await graph.post("/servicePrincipals", body)).status_code == 400


async def test_its_application_cannot_be_exchanged(graph: Asking) -> None:
    principal = await graph.principal((await graph.application())["appId"])
    by_id = await graph.patch(f"/servicePrincipals/{principal['id']}", {"appId": MISSING})
    path = f"/servicePrincipals(appId='{principal['appId']}')"
    by_key = await graph.patch(path, {"appId": MISSING}, headers=CREATE)
    assert (by_id.status_code, by_key.status_code) == (400, 400)


async def test_a_deleted_service_principal_can_be_restored_without_its_grants(
    tenant: Tenant, graph: Asking
) -> None:
    principal = await graph.principal((await graph.application())["appId"])
    await graph.grant(principal, "User.Read.All")
    assert (await graph.delete(f"/servicePrincipals/{principal['id']}")).status_code == 204
    path = f"/directory/deletedItems/{principal['id']}"
    assert (await graph.get(path)).json()["deletedDateTime"] is not None
    assert (await graph.http.post(f"{path}/restore")).status_code == 200
    assert (await graph.get(path)).status_code == 404
    assert len(tenant.service_principals) == 1
    assert tenant.roles_of(principal["appId"]) == set()


async def test_a_restored_one_does_not_displace_its_successor(graph: Asking) -> None:
    application = await graph.application()
    principal = await graph.principal(application["appId"])
    await graph.delete(f"/servicePrincipals/{principal['id']}")
    await graph.principal(application["appId"])
    answer = await graph.http.post(f"/directory/deletedItems/{principal['id']}/restore")
    assert answer.status_code == 409


async def test_they_are_searched_by_the_start_of_their_name(graph: Asking) -> None:
    principal = await graph.principal((await graph.application())["appId"])
    found = await graph.get(
        "/servicePrincipals", params={"$filter": "startswith(displayName,'mime')"}
    )
    assert [row["id"] for row in found.json()["value"]] == [principal["id"]]
