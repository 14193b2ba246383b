"""History grows by what happens, and not by how often one person presses a button."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.approval import Policy
from bot.domain.approval_requests import RequestKind
from bot.domain.events import Event
from bot.domain.lifetimes import CHECK_PAUSE
from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from bot.storage import history
from tests.support.factories import ADA, BEN, GRACE, ROSA, TEAM
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env

URL = "https://hooks.slack.com/actions/x"


@pytest.fixture
async def env(database_url: str, clock: MovableClock) -> AsyncIterator[RegistrarEnv]:
    policy = Policy(
        team_id=TEAM,
        requesters=frozenset({"*"}),
        approvers=frozenset({ADA.user_id, GRACE.user_id}),
        approvals_needed=2,
    )
    async with opened(database_url) as database:
        yield registrar_env(database, clock, policy=policy)


async def what(env: RegistrarEnv, id: str) -> list[str]:
    async with env.database.reading() as tx:
        return [entry.what for entry in await history.read(tx, id)]


@pytest.fixture
async def ready(database_url: str, clock: MovableClock) -> AsyncIterator[tuple[RegistrarEnv, str]]:
    async with opened(database_url) as database:
        env = registrar_env(database, clock)
        yield env, await env.ready()


async def test_hiding_is_told_once_and_only_if_something_is_open(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.registrar.secrets.hide(id, by=ROSA)
    assert "hidden by hand" not in await what(env, id)
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    for _ in range(5):
        await env.registrar.secrets.hide(id, by=ROSA)
    assert (await what(env, id)).count("hidden by hand") == 1


async def test_a_check_is_asked_for_once_in_five_minutes(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.registrar.recovery.check(id, by=ADA)
    await env.end_run(id)
    for person in (ADA, ROSA):
        with pytest.raises(Refusal, match="was asked for less than five minutes ago"):
            await env.registrar.recovery.check(id, by=person)
    async with env.database.transaction() as tx:  # a new secret is there
        await history.write(tx, id, Event.READY, now=clock.now())
    await env.registrar.recovery.check(id, by=ROSA)
    await env.end_run(id)
    with pytest.raises(Refusal):
        await env.registrar.recovery.check(id, by=ROSA)
    clock.move(CHECK_PAUSE)
    await env.registrar.recovery.check(id, by=ROSA)
    assert (await what(env, id)).count("check asked") == 3


async def test_a_registration_is_offered_five_times_a_day(
    env: RegistrarEnv, clock: MovableClock
) -> None:
    id = await env.pending()
    heirs = [BEN, replace(BEN, user_id="U0EVE")]
    for number in range(5):
        await env.registrar.requests.handover(id, to=heirs[number % 2], by=ROSA)
    with pytest.raises(Refusal, match=r"A handover of .* was asked for 5 times in 24 hours"):
        await env.registrar.requests.handover(id, to=heirs[1], by=ADA)
    asked = await env.asked(id, RequestKind.HANDOVER)
    assert (asked.to, asked.is_waiting) == (BEN, True)
    assert (await what(env, id)).count("handover asked") == 5
    clock.move(timedelta(hours=24, seconds=1))
    await env.registrar.requests.handover(id, to=heirs[1], by=ADA)


async def test_a_rotation_is_asked_for_five_times_a_day(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.secrets.masked(id, look.secret)
    for _ in range(5):
        await env.registrar.requests.rotation(id, by=ROSA)
        asked = await env.asked(id)
        await env.registrar.approval.deny(id, asked.id, by=ADA, reason="Not now")
    with pytest.raises(Refusal, match="was asked for 5 times in 24 hours"):
        await env.registrar.requests.rotation(id, by=GRACE)
    clock.move(timedelta(hours=24, seconds=1))
    await env.registrar.requests.rotation(id, by=GRACE)
