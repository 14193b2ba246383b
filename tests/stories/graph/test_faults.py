"""Lost answers, kills, outages and collisions: done once, or failed with a sentence."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.tenant.faults import Faults
from graph.calls import Json
from graph.clouds import PUBLIC
from graph.errors import Forbidden, GraphError, SecretsLost, Unreachable
from graph.plan import Plan
from graph.signin import SignIn
from graph.step_context import SECRET_ATTEMPTS
from graph.steps import remove_strays
from tests.support.graph_bot import Bot, assert_complete
from tests.support.marks import slow

WRITES = [
    ("PATCH", "/applications"),
    ("PATCH", "/servicePrincipals"),
    ("POST", "/appRoleAssignedTo"),
    ("POST", "/oauth2PermissionGrants"),
    ("POST", "/addPassword"),
]

CALLS = [*WRITES, ("POST", "/oauth2/v2.0/token"), ("POST", r"/\$batch")]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("lag", [0.0, slow(60.0)])
async def test_a_run_killed_while_its_answer_is_held_goes_on_where_it_was(
    bot: Bot, method: str, path: str, lag: float, plan: Plan
) -> None:
    bot.tenant.faults.lag = lag
    held = bot.tenant.faults.hold(method, path)
    first = asyncio.create_task(bot.carry_out(plan))
    await held.reached.wait()
    first.cancel()
    held.drop()
    await asyncio.gather(first, return_exceptions=True)
    await bot.carry_out(plan)
    bot.clock.move(timedelta(minutes=15))  # reads lag, so a sweep at once may not see the stray
    await remove_strays(bot.site(plan), frozenset({bot.facts["secret"]["key_id"]}))
    assert_complete(bot, plan)


OUTAGES: list[Any] = [
    (Faults.reset, {"when": "after_effect"}),
    slow(Faults.html, {"times": 2}),
    (Faults.throttle, {"times": 2, "retry_after": 20}),
    slow(Faults.throttle, {"times": 2, "retry_after": None}),
    slow(Faults.fail, {"times": 2, "status": 503, "headers": {"Retry-After": "20"}}),
    (Faults.fail, {"times": 2, "status": 503}),
    slow(Faults.fail, {"times": 2, "status": 504, "when": "after_effect"}),
    slow(Faults.fail, {"times": 2, "status": 500, "when": "after_effect"}),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(("fault", "how"), OUTAGES)
async def test_an_outage_only_takes_time_and_makes_nothing_twice(
    bot: Bot, method: str, path: str, fault: Callable[..., None], how: Json
) -> None:
    plan = await bot.plan()
    fault(bot.tenant.faults, method, path, **how)
    await bot.carry_out(plan)
    await remove_strays(bot.site(plan), frozenset({bot.facts["secret"]["key_id"]}))
    assert_complete(bot, plan)


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_missing_right_fails_with_advice(bot: Bot, method: str, path: str) -> None:
    plan = await bot.plan()
    text = "Insufficient privileges to complete the operation."
    bot.tenant.faults.fail(
        method, path, status=403, code="Authorization_RequestDenied", message=text, times=9
    )
    with pytest.raises(Forbidden) as caught:
        await bot.carry_out(plan)
    assert "to check its rights in Entra" in caught.value.advice
    assert caught.value.request_id


async def test_a_token_that_expires_on_the_way_is_replaced(bot: Bot, plan: Plan) -> None:
    bot.clock.move(timedelta(hours=2))
    await bot.carry_out(plan)
    assert_complete(bot, plan)


async def test_grants_that_collide_go_one_after_another(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.conflict_window = 2.0
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}])
async def test_a_secret_whose_answer_is_always_lost_is_asked_for_five_times_in_all(
    bot: Bot, headers: dict[str, str], plan: Plan
) -> None:
    bot.tenant.faults.fail(
        "POST", "/addPassword", status=503, headers=headers, when="after_effect", times=10_000
    )
    for _ in range(2):  # the second time as after a crash
        with pytest.raises(SecretsLost):
            await bot.carry_out(plan)
    assert len(bot.tenant.calls("POST", "addPassword")) == SECRET_ATTEMPTS
    bot.tenant.faults.clear()
    bot.clock.move(timedelta(minutes=15))
    await remove_strays(bot.site(plan), frozenset())
    assert bot.tenant.live_secrets(bot.facts["application"]["app_id"]) == []


async def test_a_secret_that_certainly_was_not_made_is_asked_for_with_the_same_nonce(
    bot: Bot, plan: Plan
) -> None:
    bot.tenant.faults.fail("POST", "/addPassword", status=409, code="ObjectConflict", times=8)
    await bot.carry_out(plan)
    assert len(bot.ledger.nonces) == 1


async def test_a_secret_sealed_before_a_crash_is_used_and_not_made_again(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    for name in ("secret", "sign_in", "directory"):
        del bot.facts[name]
    await bot.carry_out(plan)
    assert len(bot.tenant.calls("POST", "addPassword")) == 1


async def test_a_tenant_that_cannot_be_reached_is_told_in_a_sentence(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.unreachable = True
    with pytest.raises(GraphError) as caught:
        await bot.carry_out(plan)
    assert caught.value.sentence
    nowhere = SignIn(authority="https://127.0.0.1:1/t", cloud=PUBLIC)
    with pytest.raises(Unreachable):
        await nowhere.token("a", "b")
    nowhere.close()


async def test_a_sign_in_that_entra_takes_for_a_loop_is_waited_out(bot: Bot, plan: Plan) -> None:
    looped = {"error": "invalid_grant", "error_codes": [50196], "trace_id": "t1"}
    bot.tenant.faults.answer("POST", "/token", looped, status=400, times=3)
    start = bot.clock.now()
    await bot.carry_out(plan)
    assert_complete(bot, plan)
    assert bot.clock.now() - start >= timedelta(minutes=3)


async def test_a_token_that_cannot_be_read_is_asked_for_again(bot: Bot, plan: Plan) -> None:
    opaque = {"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque"}
    bot.tenant.faults.answer("POST", "/token", opaque)
    await bot.carry_out(plan)
    assert_complete(bot, plan)
