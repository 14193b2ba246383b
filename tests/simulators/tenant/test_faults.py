"""Faults: what the answer says and what has happened are two things."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import httpx
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from bot.playground.tenant.faults import Hold, When
from graph.calls import Json
from tests.support.graph_caller import Asking, client, code_of, sign_in


async def held(hold: Hold, call: Awaitable[httpx.Response]) -> asyncio.Task[httpx.Response]:
    """Make the call, and return it once it has come to where it is held."""
    task = asyncio.ensure_future(call)
    await hold.reached.wait()
    assert isinstance(task, asyncio.Task)
    return task


async def test_a_failure_before_the_effect_changes_nothing(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.fail("PATCH", "/applications", status=503)
    answer = await graph.upsert("key-1")
    assert (answer.status_code, code_of(answer)) == (503, "ServiceUnavailable")
    assert tenant.applications == []
    assert (await graph.upsert("key-1")).status_code == 201


async def test_a_failure_after_the_effect_hides_it(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.fail("PATCH", "/applications", status=504, when="after_effect")
    assert (await graph.upsert("key-1")).status_code == 504
    assert len(tenant.applications) == 1


async def test_a_page_can_come_instead_of_json(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.html("GET", "/organization")
    answer = await graph.get("/organization")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


@pytest.mark.parametrize(("when", "made"), [("before_effect", 0), ("after_effect", 1)])
async def test_a_connection_can_be_cut(graph: Asking, when: When, made: int) -> None:
    graph.tenant.faults.reset("PATCH", "/applications", when=when)
    with pytest.raises(httpx.TransportError):
        await graph.upsert("key-1")
    assert len(graph.tenant.applications) == made
    assert graph.tenant.calls("PATCH")[0].status == 0


async def test_an_unreachable_tenant_answers_nobody(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.unreachable = True
    with pytest.raises(httpx.TransportError):
        await graph.get("/organization")
    tenant.faults.unreachable = False
    assert (await graph.get("/organization")).status_code == 200


async def test_a_held_answer_comes_late_and_the_effect_does_not(graph: Asking) -> None:
    application = await graph.application()
    hold = graph.tenant.faults.hold("POST", "/addPassword$")
    call = await held(hold, graph.add_password(application))
    assert len(graph.tenant.live_secrets(application["appId"])) == 1
    assert not call.done()
    hold.release()
    assert (await call).status_code == 200


async def test_a_held_answer_can_be_lost(tenant: Tenant, graph: Asking, application: Json) -> None:
    hold = tenant.faults.hold("POST", "/addPassword$")
    call = await held(hold, graph.add_password(application))
    hold.drop()
    with pytest.raises(httpx.TransportError):
        await call
    assert len(tenant.live_secrets(application["appId"])) == 1
    assert (await graph.add_password(application)).status_code == 200


async def test_a_request_can_be_held_before_its_effect(tenant: Tenant, graph: Asking) -> None:
    hold = tenant.faults.hold("PATCH", "/applications", when="before_effect")
    call = await held(hold, graph.upsert("key-1"))
    assert tenant.applications == []
    hold.release()
    assert (await call).status_code == 201


async def test_a_caller_who_hangs_up_does_not_undo_the_effect(graph: Asking) -> None:
    hold = graph.tenant.faults.hold("PATCH", "/applications")
    call = await held(hold, graph.upsert("key-1"))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    hold.release()
    assert len(graph.tenant.applications) == 1
    assert (await graph.get("/organization")).status_code == 200


async def test_throttling_ends_when_the_caller_waits(clock: MovableClock, graph: Asking) -> None:
    graph.tenant.faults.throttle("GET", "/organization", retry_after=30)
    first = await graph.get("/organization")
    too_early = await graph.get("/organization")
    clock.move(timedelta(seconds=30))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "30")
    assert (too_early.status_code, code_of(too_early)) == (429, "TooManyRequests")
    assert (await graph.get("/organization")).status_code == 200


async def test_throttling_may_not_say_how_long(tenant: Tenant, graph: Asking) -> None:
    tenant.faults.throttle(times=2, retry_after=None)
    answers = [await graph.get("/organization") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert "Retry-After" not in answers[0].headers


async def test_the_token_endpoint_fails_like_the_rest(tenant: Tenant) -> None:
    tenant.faults.html("POST", "/token", status=503)
    administrator = tenant.administrator
    async with client(tenant) as http:
        answer = await sign_in(http, tenant, administrator.client_id, administrator.client_secret)
    assert (answer.status_code, tenant.log[-1].kind) == (503, "token")


async def test_writes_to_one_object_can_be_too_close_together(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    application, other = await graph.application(), await graph.application("key-2")
    tenant.faults.conflict_window = 5.0
    clock.move(timedelta(seconds=5))
    together = await asyncio.gather(*(graph.add_password(application) for _ in range(3)))
    elsewhere = await graph.add_password(other)
    assert sorted(answer.status_code for answer in together) == [200, 409, 409]
    assert {code_of(a) for a in together if a.status_code == 409} == {
        "Directory_ConcurrencyViolation"
    }
    assert elsewhere.status_code == 200
    clock.move(timedelta(seconds=5))
    assert (await graph.add_password(application)).status_code == 200


async def test_cleared_faults_are_gone_and_held_calls_go_on(tenant: Tenant, graph: Asking) -> None:
    hold = tenant.faults.hold("GET", "/organization")
    tenant.faults.fail("GET", "/organization", times=5)
    tenant.faults.lag = 60.0
    call = await held(hold, graph.get("/organization"))
    tenant.faults.clear()
    assert (await call).status_code == 503
    assert (await graph.get("/organization")).status_code == 200
    assert tenant.faults.lag == 0.0
