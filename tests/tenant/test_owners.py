"""Owners: bound at creation, added and removed by reference, people and service principals."""

import pytest

from bot.playground.tenant import Tenant
from tests.tenant.asking import Asking

BIND = "owners@odata.bind"
MISSING = "0f0f0f0f-0000-4000-8000-000000000000"


def reference(id: str, kind: str = "directoryObjects") -> str:
    return f"https://graph.microsoft.com/v1.0/{kind}/{id}"


async def owners(graph: Asking, path: str) -> dict[str, str]:
    rows = (await graph.get(f"{path}/owners?$select=id")).json()["value"]
    return {row["id"]: row["@odata.type"] for row in rows}


async def test_owners_are_bound_at_creation(tenant: Tenant, graph: Asking) -> None:
    ada = tenant.people.users[0]["id"]
    body = {"displayName": "Mimecast", BIND: [reference(ada, "users")]}
    made = await graph.post("/applications", body)
    assert made.status_code == 201
    assert BIND not in made.json()
    me = tenant.audits[0]["initiatedBy"]["app"]["servicePrincipalId"]
    assert await owners(graph, f"/applications/{made.json()['id']}") == {
        ada: "#microsoft.graph.user",
        me: "#microsoft.graph.servicePrincipal",
    }
    principal = {"appId": made.json()["appId"], BIND: [reference(ada)]}
    bound = (await graph.post("/servicePrincipals", principal)).json()
    assert ada in await owners(graph, f"/servicePrincipals/{bound['id']}")


@pytest.mark.parametrize(
    ("bound", "status"),
    [
        ([], 400),
        ("x", 400),
        (["nonsense"], 400),
        ([None], 400),
        ([reference(MISSING), reference(MISSING)], 400),
        ([reference(MISSING)] * 21, 400),
        ([reference(MISSING)], 404),
    ],
)
async def test_a_wrong_binding_makes_nothing(
    tenant: Tenant, graph: Asking, bound: object, status: int
) -> None:
    answer = await graph.post("/applications", {"displayName": "Mimecast", BIND: bound})
    assert answer.status_code == status
    assert tenant.applications == []


async def test_an_upsert_binds_nobody(tenant: Tenant, graph: Asking) -> None:
    answer = await graph.upsert("key-1", **{BIND: [reference(tenant.people.users[0]["id"])]})
    assert answer.status_code == 400


@pytest.mark.parametrize("kind", ["applications", "servicePrincipals"])
async def test_an_owner_is_removed_and_the_last_one_too(
    tenant: Tenant, wide: Asking, kind: str
) -> None:
    application = await wide.application()
    principal = await wide.principal(application["appId"])
    path = f"/{kind}/{application['id'] if kind == 'applications' else principal['id']}"
    ada = tenant.people.users[0]["id"]
    await wide.post(f"{path}/owners/$ref", {"@odata.id": reference(ada)})
    assert len(await owners(wide, path)) == 2
    assert (await wide.delete(f"{path}/owners/{ada}/$ref")).status_code == 204
    assert (await wide.delete(f"{path}/owners/{ada}/$ref")).status_code == 404
    [me] = await owners(wide, path)
    assert (await wide.delete(f"{path}/owners/{me}/$ref")).status_code == 204
    assert (await wide.patch(path, {"notes": "not mine any more"})).status_code == 403
    assert tenant.audits[0]["activityDisplayName"].startswith("Remove owner from")


async def test_without_ref_nobody_is_deleted(tenant: Tenant, graph: Asking) -> None:
    path = f"/applications/{(await graph.application())['id']}"
    [me] = await owners(graph, path)
    assert (await graph.delete(f"{path}/owners/{me}")).status_code == 403
    assert len(await owners(graph, path)) == 1
