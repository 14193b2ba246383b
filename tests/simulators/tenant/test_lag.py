"""Replication lag: what was written is true at once and seen later, each kind on its own road."""

from datetime import timedelta

import httpx
import jwt
import trustme

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant, running
from graph.calls import Json
from tests.support.graph_caller import Asking, asking, code_of, connector, sign_in

LAG = 60.0
BIN = "directory/deletedItems"


async def test_a_new_application_is_404_until_it_has_arrived(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.faults.lag = LAG
    application = await graph.application()
    path = f"/applications/{application['id']}"
    early = [await graph.get(path) for _ in range(20)] + [await graph.add_password(application)]
    assert {answer.status_code for answer in early} == {404}
    assert {code_of(answer) for answer in early} == {
        "Request_ResourceNotFound",
        "Directory_ObjectNotFound",
    }
    listed = (await graph.get("/applications")).json()["value"]
    assert application["id"] not in [row["id"] for row in listed]
    clock.move(timedelta(seconds=LAG))
    assert (await graph.get(path)).status_code == 200
    assert (await graph.add_password(application)).status_code == 200


async def test_an_upsert_is_never_fooled_by_lag(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.lag = LAG
    await graph.application()
    assert (await graph.upsert("key-1")).status_code == 204
    assert len(tenant.applications) == 1


async def test_a_service_principal_waits_for_its_application(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.faults.lag = {"application": LAG}
    application = await graph.application()
    answers = [
        await graph.post("/servicePrincipals", {"appId": application["appId"]}) for _ in range(20)
    ]
    assert {answer.status_code for answer in answers} == {400, 403}
    clock.move(timedelta(seconds=LAG))
    await graph.principal(application["appId"])


async def test_a_grant_waits_for_its_principal(clock: MovableClock, graph: Asking) -> None:
    application = await graph.application()
    graph.tenant.faults.lag = {"service_principal": LAG}
    principal = await graph.principal(application["appId"])
    answers = [await graph.grant(principal, "User.Read.All") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {400, 404}
    clock.move(timedelta(seconds=LAG))
    assert (await graph.grant(principal, "User.Read.All")).status_code == 201


async def test_between_two_replicas_an_object_comes_and_goes(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.faults.lag = (0.0, 600.0)
    application = await graph.application()
    path = f"/applications/{application['id']}"
    clock.move(timedelta(seconds=300))
    statuses = {(await graph.get(path)).status_code for _ in range(40)}
    clock.move(timedelta(seconds=300))
    assert statuses <= {200, 404}
    assert {(await graph.get(path)).status_code for _ in range(10)} == {200}


async def test_a_change_is_seen_late_too(clock: MovableClock, graph: Asking) -> None:
    application = await graph.application()
    graph.tenant.faults.lag = LAG
    path = f"/applications/{application['id']}"
    await graph.patch(path, {"notes": "Asked for by Ada"})
    await graph.secret(application)
    early = (await graph.get(path)).json()
    assert (early["notes"], early["passwordCredentials"]) == (None, [])
    clock.move(timedelta(seconds=LAG))
    late = (await graph.get(path)).json()
    assert late["notes"] == "Asked for by Ada"
    assert (
        len(late["passwordCredentials"])
        == len(graph.tenant.live_secrets(application["appId"]))
        == 1
    )


async def test_the_token_endpoint_hears_later_of_a_secret_and_of_its_removal(
    tenant: Tenant, clock: MovableClock, graph: Asking, application: Json
) -> None:
    await graph.principal(application["appId"])
    tenant.faults.secret_lag = LAG
    secret = await graph.secret(application)

    async def early_and_late() -> list[httpx.Response]:
        answers = []
        for _ in range(2):
            it = await sign_in(graph.http, tenant, application["appId"], secret["secretText"])
            answers.append(it)
            clock.move(timedelta(seconds=LAG))
        return answers

    early, late = await early_and_late()
    assert (early.json()["error_codes"], late.status_code) == ([7000215], 200)
    path = f"/applications/{application['id']}/removePassword"
    await graph.post(path, {"keyId": secret["keyId"]})
    assert [answer.status_code for answer in await early_and_late()] == [200, 401]
    assert tenant.live_secrets(application["appId"]) == []


async def test_an_application_is_unknown_to_the_token_endpoint_at_first(graph: Asking) -> None:
    application = await graph.application()
    secret = await graph.secret(application)
    graph.tenant.faults.lag = LAG
    await graph.principal(application["appId"])
    answer = await sign_in(graph.http, graph.tenant, application["appId"], secret["secretText"])
    assert answer.json()["error_codes"] == [700016]


async def test_a_token_lacks_a_role_until_it_has_arrived(
    tenant: Tenant, clock: MovableClock, graph: Asking, application: Json
) -> None:
    principal = await graph.principal(application["appId"])
    secret = await graph.secret(application)
    tenant.faults.role_lag = LAG
    await graph.grant(principal, "User.Read.All")
    roles = []
    for _ in range(2):
        answer = await sign_in(graph.http, tenant, application["appId"], secret["secretText"])
        claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        roles.append(claims.get("roles"))
        clock.move(timedelta(seconds=LAG))
    assert roles == [None, ["User.Read.All"]]


async def test_the_same_seed_lags_the_same(ca: trustme.CA) -> None:
    async def story() -> list[int]:
        clock = MovableClock()
        async with running(clock=clock, ca=ca, users=10, groups=2) as tenant:
            tenant.faults.lag = (0.0, 600.0)
            async with asking(tenant, tenant.administrator) as graph:
                application = await graph.application()
                return [await _later(graph, clock, application["id"]) for _ in range(12)]

    assert await story() == await story()


async def _later(graph: Asking, clock: MovableClock, id: str) -> int:
    clock.move(timedelta(seconds=50))
    return (await graph.get(f"/applications/{id}")).status_code


async def test_lag_hides_nothing_that_was_there_before(tenant: Tenant) -> None:
    tenant.faults.lag = LAG
    tenant.faults.secret_lag = LAG
    async with connector(tenant, "User.Read.All") as graph:
        assert (await graph.get("/users")).status_code == 200


async def test_a_deleted_application_is_in_the_bin_once_it_is_no_longer_seen(
    tenant: Tenant, clock: MovableClock, graph: Asking, application: Json
) -> None:
    tenant.faults.lag = LAG
    path, kept = (f"/{where}/{application['id']}" for where in ("applications", BIN))
    assert (await graph.delete(path)).status_code == 204
    early = [(await graph.get(each)).status_code for each in (path, kept)]
    assert (await graph.delete(path)).status_code == 404
    listed = (await graph.get(f"/{BIN}/microsoft.graph.application")).json()["value"]
    clock.move(timedelta(seconds=LAG))
    late = [(await graph.get(each)).status_code for each in (path, kept)]
    assert (early, listed, late) == ([200, 404], [], [404, 200])
