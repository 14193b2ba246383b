"""Deadlines count when they are over, not when the scheduler comes by to act on them."""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from bot.storage import installation, registrations
from tests.support.factories import ADA, GRACE, ROSA
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env
from tests.support.secret_lives import SecretLife

DAY = timedelta(days=1)
URL = "https://hooks.slack.com/actions/x"


@pytest.fixture
async def env(tmp_path: Path, clock: MovableClock) -> AsyncIterator[RegistrarEnv]:
    """Where two approvals are needed, so that one can be withdrawn."""
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}") as database:
        async with database.transaction() as tx:
            await installation.ensure_id(tx, new="aaaabbbbcccc", now=clock.now())
        yield registrar_env(database, clock, approvals_needed=2)


async def _with_a_day(env: RegistrarEnv, id: str) -> str:
    async with env.database.transaction() as tx:
        await registrations.update(tx, id, deadline=env.clock.now() + DAY)
    return id


async def _refused(act: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as refused:
        await act
    return str(refused.value)


async def test_nobody_decides_when_the_time_for_it_is_over(
    env: RegistrarEnv, clock: MovableClock
) -> None:
    id = await _with_a_day(env, await env.pending())
    registrar = env.registrar
    clock.move(DAY - timedelta(seconds=1))
    await registrar.approval.approve(id, by=ADA)
    await registrar.approval.check_may_deny(id, by=GRACE)
    clock.move(timedelta(seconds=1))
    before = await env.found(id)
    for act in (
        registrar.approval.approve(id, by=GRACE),
        registrar.approval.withdraw(id, by=ADA),
        registrar.approval.check_may_deny(id, by=GRACE),
        registrar.approval.deny(id, by=GRACE, reason="Not now"),
    ):
        assert await _refused(act) == f"The deadline of {id} has passed, so this can't be done."
    assert await env.found(id) == before


async def test_no_secret_is_shown_when_the_time_to_come_for_it_is_over(
    env: RegistrarEnv, clock: MovableClock
) -> None:
    plain = registrar_env(env.database, clock)
    id = await _with_a_day(plain, await plain.ready())
    clock.move(DAY)
    said = await _refused(plain.registrar.secrets.reveal(id, by=ROSA, answer_to=URL))
    assert said == f"The deadline of {id} has passed, so this can't be done."
    assert await plain.secret_life(id) is SecretLife.SEALED
