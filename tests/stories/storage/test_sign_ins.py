"""A sign-in of an approver in storage: used once, by one browser, opened for its owner only."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.lifetimes import SIGN_IN_KEPT, SIGN_IN_TTL
from bot.storage import sign_ins
from bot.storage.sign_ins import SignInAttempt
from bot.storage.vault import SealBroken
from tests.support.factories import ADA
from tests.support.registrar_env import RegistrarEnv

FLOW = {"code_verifier": "v" * 43, "nonce": "n"}


async def added(env: RegistrarEnv, token: str) -> SignInAttempt:
    id = await env.submitted()
    async with env.database.transaction() as tx:
        await sign_ins.add(tx, token, registration=id, by=ADA, now=env.clock.now())
        found = await sign_ins.by_token(tx, token)
    assert found is not None
    return found


async def bind(env: RegistrarEnv, attempt: SignInAttempt, *, cookie: str, state: str) -> bool:
    return await env.database.write(
        sign_ins.bind, attempt, env.vault, cookie=cookie, state=state, flow={**FLOW, "state": state}
    )


async def take(env: RegistrarEnv, attempt: SignInAttempt) -> bool:
    return await env.database.write(sign_ins.take, attempt, now=env.clock.now())


async def by_state(env: RegistrarEnv, state: str) -> SignInAttempt | None:
    return await env.database.read(sign_ins.by_state, state)


async def test_of_many_at_once_one_uses_it(env: RegistrarEnv) -> None:
    assert await bind(env, await added(env, "token"), cookie="mine", state="one")
    attempt = await by_state(env, "one")
    assert attempt is not None
    assert sum(await asyncio.gather(*(take(env, attempt) for _ in range(5)))) == 1
    used = await by_state(env, "one")
    assert used is not None
    assert used.used_at is not None
    assert used.flow is None
    assert not await bind(env, used, cookie="mine", state="two")


async def test_another_browser_does_not_get_it_and_the_same_one_may_begin_anew(
    env: RegistrarEnv,
) -> None:
    attempt = await added(env, "token")
    bound = await asyncio.gather(
        *(bind(env, attempt, cookie=str(number), state=f"of {number}") for number in range(4))
    )
    assert sum(bound) == 1
    mine = bound.index(True)
    before = await by_state(env, f"of {mine}")
    assert before is not None
    assert await bind(env, attempt, cookie=str(mine), state="anew")
    assert await by_state(env, f"of {mine}") is None
    assert not await take(env, before)
    after = await by_state(env, "anew")
    assert after is not None
    assert await take(env, after)


@pytest.mark.parametrize("name", ["id", "registration", "user_id", "team_id", "installation"])
async def test_a_row_that_was_pointed_at_something_else_does_not_open(
    env: RegistrarEnv, name: str
) -> None:
    await bind(env, await added(env, "token"), cookie="mine", state="one")
    attempt = await by_state(env, "one")
    assert attempt is not None
    assert attempt.flow is not None
    assert "code_verifier" in env.vault.open(attempt.owner, attempt.flow)
    changed: Any = {name: "another"}
    with pytest.raises(SealBroken, match="belongs to something else"):
        env.vault.open(replace(attempt, **changed).owner, attempt.flow)


async def test_those_long_over_are_deleted(env: RegistrarEnv) -> None:
    await added(env, "old")
    env.clock.move(SIGN_IN_TTL + SIGN_IN_KEPT - timedelta(minutes=1))
    await added(env, "new")
    assert await env.database.read(sign_ins.by_token, "old") is not None
    env.clock.move(timedelta(minutes=2))
    await added(env, "newer")
    async with env.database.reading() as tx:
        assert await sign_ins.by_token(tx, "old") is None
        assert await sign_ins.by_token(tx, "new") is not None
