"""Limits: how much one person and the team may ask for, in a day, all in all, and until when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval_requests import RequestKind
from bot.domain.events import Event
from bot.domain.lifetimes import CHECK_PAUSE
from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from bot.storage import history, installation, registrations
from bot.storage.database import Database
from tests.support.concurrency import RegistrarEnvs, all_at_once
from tests.support.factories import ADA, BEN, EVERYBODY, GRACE, ROSA, form
from tests.support.registrar_env import (
    ANSWER_TO,
    RegistrarEnv,
    registrar_env,
    team_policy,
    two_registrar_envs,
)
from tests.support.secret_lives import SecretLife
from tests.support.story import Story


@pytest.fixture
async def registrar_envs(database_url: str, clock: MovableClock) -> AsyncIterator[RegistrarEnvs]:
    async with two_registrar_envs(database_url, clock, open_limit=3, daily_limit=5) as both:
        yield both


@pytest.mark.settings(OPEN_LIMIT="2")
async def test_one_person_has_three_open_at_a_time(story: Story) -> None:
    first, _ = await story.ask("one"), await story.ask("two")
    sent = await story.fill_and_send("three")
    said = "You have 2 registrations open, which is the most."
    assert sent.errors["Application name"].startswith(said)
    await story.deny(first)
    await story.until(lambda: f"{first} was denied" in story.direct("rosa"))
    assert not (await story.workspace.submit("rosa", {})).errors


async def test_of_many_at_once_as_many_as_there_is_room_for(registrar_envs: RegistrarEnvs) -> None:
    """Two replicas count at the same moment, and neither counts without the other."""
    one, other = registrar_envs
    submissions = (
        env.registrar.submission.submit(form(name=f"app {n}"), by=ROSA, origin=f"V{n}")
        for n, env in enumerate([one, other] * 4)
    )
    refused = await all_at_once(*submissions)
    assert refused.count(None) == 3
    assert all("You have 3 registrations open" in each for each in refused if each)


async def test_the_team_begins_so_many_in_24_hours(
    registrar_envs: RegistrarEnvs, clock: MovableClock
) -> None:
    one, _ = registrar_envs
    for number in range(5):
        id = await one.registrar.submission.submit(
            form(name=f"app {number}"), by=ROSA, origin=f"V{number}"
        )
        await one.make_pending(id)
        await one.registrar.approval.deny(id, by=ADA, reason="Not now")
    with pytest.raises(Refusal, match="The team has begun 5 registrations in 24 hours"):
        await one.registrar.submission.submit(form(name="app 6"), by=ROSA, origin="V6")


async def test_one_person_leaves_some_of_a_day_to_the_others(
    database: Database, clock: MovableClock
) -> None:
    """What somebody else takes over counts for whoever began it."""
    await database.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
    policy = team_policy(requesters=EVERYBODY, daily_limit=4, person_daily_limit=2)
    env = registrar_env(database, clock, policy=policy)
    for _ in range(2):
        id = await env.pending()
        await env.registrar.requests.handover(id, to=BEN, by=ROSA)
        await env.confirm_handover(id, to=BEN, by=ADA)
    with pytest.raises(Refusal, match="You have begun 2 registrations in 24 hours"):
        await env.submitted()
    await env.submitted(by=BEN)
    clock.move(timedelta(hours=24, seconds=1))
    await env.submitted()


async def test_the_share_of_one_person_is_kept_by_two_replicas(
    database_url: str, clock: MovableClock
) -> None:
    async with two_registrar_envs(database_url, clock, person_daily_limit=3) as both:
        assert (await all_at_once(*(env.submitted() for env in both * 4))).count(None) == 3


@pytest.mark.slow
async def test_the_same_wish_is_offered_instead_of_a_duplicate(story: Story) -> None:
    id = await story.ready("Billing  sync")
    [sentence] = (await story.fill_and_send("billing sync", Reason="Again")).errors.values()
    assert f"with this name: {id} (ready)" in sentence
    assert len(story.tenant.applications) == 1


async def test_a_form_that_arrives_twice_is_no_duplicate(registrar_envs: RegistrarEnvs) -> None:
    forms = (
        env.registrar.submission.submit(form(), by=ROSA, origin="V1") for env in registrar_envs
    )
    assert len(set(await asyncio.gather(*forms))) == 1


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    return registrar_env(database, clock, requesters=EVERYBODY, approvals_needed=2)


@pytest.fixture
async def ready(database: Database, clock: MovableClock) -> tuple[RegistrarEnv, str]:
    env = registrar_env(database, clock)
    return env, await env.ready()


async def test_hiding_is_told_once_and_only_if_something_is_open(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.registrar.secrets.mask(id, by=ROSA)
    assert "hidden by hand" not in await env.told(id)
    await env.open(id)
    for _ in range(5):
        await env.registrar.secrets.mask(id, by=ROSA)
    assert (await env.told(id)).count("hidden by hand") == 1


async def test_a_check_is_asked_for_once_in_five_minutes(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.registrar.recovery.check(id, by=ADA)
    await env.end_run(id)
    for person in (ADA, ROSA):
        with pytest.raises(Refusal, match="was asked for less than five minutes ago"):
            await env.registrar.recovery.check(id, by=person)
    await env.database.write(
        history.write, id, Event.READY, now=clock.now()
    )  # a new secret is there
    await env.registrar.recovery.check(id, by=ROSA)
    await env.end_run(id)
    with pytest.raises(Refusal):
        await env.registrar.recovery.check(id, by=ROSA)
    clock.move(CHECK_PAUSE)
    await env.registrar.recovery.check(id, by=ROSA)
    assert (await env.told(id)).count("check asked") == 3


async def test_a_registration_is_offered_five_times_a_day(env: RegistrarEnv) -> None:
    id = await env.pending()
    heirs = [BEN, replace(BEN, user_id="U0EVE")]
    for number in range(5):
        await env.registrar.requests.handover(id, to=heirs[number % 2], by=ROSA)
    with pytest.raises(Refusal, match=r"A handover of .* was asked for 5 times in 24 hours"):
        await env.registrar.requests.handover(id, to=heirs[1], by=ADA)
    asked = await env.asked(id, RequestKind.HANDOVER)
    assert (asked.to, asked.is_waiting) == (BEN, True)
    assert (await env.told(id)).count("handover asked") == 5
    env.clock.move(timedelta(hours=24, seconds=1))
    await env.registrar.requests.handover(id, to=heirs[1], by=ADA)


async def test_a_rotation_is_asked_for_five_times_a_day(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.see(id)
    for _ in range(5):
        await env.registrar.requests.rotation(id, by=ROSA)
        asked = await env.asked(id)
        await env.registrar.approval.deny(id, asked.id, by=ADA, reason="Not now")
    with pytest.raises(Refusal, match="was asked for 5 times in 24 hours"):
        await env.registrar.requests.rotation(id, by=GRACE)
    clock.move(timedelta(hours=24, seconds=1))
    await env.registrar.requests.rotation(id, by=GRACE)


async def _with_a_day(env: RegistrarEnv, id: str) -> str:
    await env.database.write(registrations.update, id, deadline=env.clock.now() + timedelta(days=1))
    return id


async def _refused(act: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as refused:
        await act
    return str(refused.value)


async def test_nobody_decides_when_the_time_for_it_is_over(env: RegistrarEnv) -> None:
    id = await _with_a_day(env, await env.pending())
    registrar = env.registrar
    env.clock.move(timedelta(days=1) - timedelta(seconds=1))
    await registrar.approval.approve(id, by=ADA)
    await registrar.approval.check_may_deny(id, by=GRACE)
    env.clock.move(timedelta(seconds=1))
    before = await env.found(id)
    for act in (
        registrar.approval.approve(id, by=GRACE),
        registrar.approval.withdraw(id, by=ADA),
        registrar.approval.check_may_deny(id, by=GRACE),
        registrar.approval.deny(id, by=GRACE, reason="Not now"),
    ):
        assert await _refused(act) == f"The deadline of {id} has passed, so this can't be done."
    assert await env.found(id) == before


async def test_no_secret_is_shown_when_the_time_to_come_for_it_is_over(env: RegistrarEnv) -> None:
    plain = registrar_env(env.database, env.clock)
    id = await _with_a_day(plain, await plain.ready())
    env.clock.move(timedelta(days=1))
    said = await _refused(plain.registrar.secrets.reveal(id, by=ROSA, answer_to=ANSWER_TO))
    assert said == f"The deadline of {id} has passed, so this can't be done."
    assert await plain.secret_life(id) is SecretLife.SEALED
