"""Limits: how much one person and the team may ask for, in a day and all in all, and once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval_requests import RequestKind
from bot.domain.events import Event
from bot.domain.lifetimes import CHECK_PAUSE
from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from bot.storage import history, installation
from bot.storage.database import Database
from tests.support.factories import ADA, BEN, EVERYBODY, GRACE, ROSA, form
from tests.support.registrar_env import RegistrarEnv, registrar_env, team_policy, two_registrar_envs
from tests.support.story import Story


@pytest.fixture
async def registrar_envs(
    database_url: str, clock: MovableClock
) -> AsyncIterator[tuple[RegistrarEnv, RegistrarEnv]]:
    async with two_registrar_envs(database_url, clock, open_limit=3, daily_limit=5) as both:
        yield both


@pytest.mark.settings(OPEN_LIMIT="2")
async def test_one_person_has_three_open_at_a_time(story: Story) -> None:
    first, _ = await story.ask("one"), await story.ask("two")
    sent = await story.fill_and_send("three")
    assert sent.errors["Application name"].startswith(
        "You have 2 registrations open, which is the most."
    )
    await story.deny(first)
    await story.until(lambda: f"{first} was denied" in story.direct("rosa"))
    sent = await story.workspace.submit("rosa", {"Application name": "three", "Reason": "To sync"})
    assert not sent.errors


async def test_of_many_at_once_only_as_many_as_there_is_room_for(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv],
) -> None:
    """Two replicas count at the same moment, and neither counts without the other."""
    one, other = registrar_envs
    done = await asyncio.gather(
        *(
            registrar_env.registrar.submission.submit(
                form(name=f"app {n}"), by=ROSA, origin=f"V{n}"
            )
            for n, registrar_env in enumerate([one, other] * 4)
        ),
        return_exceptions=True,
    )
    refused = [each for each in done if isinstance(each, Refusal)]
    assert len(done) - len(refused) == 3
    assert all("You have 3 registrations open" in str(each) for each in refused)


async def test_the_team_begins_so_many_in_24_hours(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv], clock: MovableClock
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
    async with database.transaction() as tx:
        await installation.ensure_id(tx, new="aaaabbbbcccc", now=clock.now())
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
    async with two_registrar_envs(database_url, clock, person_daily_limit=3) as (one, other):
        done = await asyncio.gather(
            *(registrar_env.submitted() for registrar_env in [one, other] * 4),
            return_exceptions=True,
        )
    refused = [each for each in done if isinstance(each, Refusal)]
    assert len(done) - len(refused) == 3


async def test_the_same_wish_is_offered_instead_of_a_duplicate(story: Story) -> None:
    id = await story.ready("Billing  sync")
    await story.open_form()
    sent = await story.workspace.submit(
        "rosa", {"Application name": "billing sync", "Reason": "Again"}
    )
    [sentence] = sent.errors.values()
    assert f"with this name: {id} (ready)" in sentence
    assert len(story.tenant.applications) == 1


async def test_a_form_that_arrives_twice_is_no_duplicate_of_itself(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv],
) -> None:
    one, other = registrar_envs
    wish = form()
    ids = await asyncio.gather(
        *(
            registrar_env.registrar.submission.submit(wish, by=ROSA, origin="V1")
            for registrar_env in (one, other)
        )
    )
    assert len(set(ids)) == 1


URL = "https://hooks.slack.com/actions/x"


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    return registrar_env(database, clock, requesters=EVERYBODY, approvals_needed=2)


async def what(env: RegistrarEnv, id: str) -> list[str]:
    async with env.database.reading() as tx:
        return [entry.what for entry in await history.read(tx, id)]


@pytest.fixture
async def ready(database: Database, clock: MovableClock) -> tuple[RegistrarEnv, str]:
    env = registrar_env(database, clock)
    return env, await env.ready()


async def test_hiding_is_told_once_and_only_if_something_is_open(
    ready: tuple[RegistrarEnv, str], clock: MovableClock
) -> None:
    env, id = ready
    await env.registrar.secrets.mask(id, by=ROSA)
    assert "hidden by hand" not in await what(env, id)
    await env.open(id)
    for _ in range(5):
        await env.registrar.secrets.mask(id, by=ROSA)
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
    await env.see(id)
    for _ in range(5):
        await env.registrar.requests.rotation(id, by=ROSA)
        asked = await env.asked(id)
        await env.registrar.approval.deny(id, asked.id, by=ADA, reason="Not now")
    with pytest.raises(Refusal, match="was asked for 5 times in 24 hours"):
        await env.registrar.requests.rotation(id, by=GRACE)
    clock.move(timedelta(hours=24, seconds=1))
    await env.registrar.requests.rotation(id, by=GRACE)
