"""Limits: how much one person and the team may ask for, and that nothing is asked for twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.approval import Policy
from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.storage import installation
from tests.conftest import Bot
from tests.support.factories import ADA, BEN, GRACE, ROSA, TEAM, form
from tests.support.registrar_env import Office, office, opened, two_offices
from tests.support.story import Scene


@pytest.fixture
async def offices(database_url: str, clock: MovableClock) -> AsyncIterator[tuple[Office, Office]]:
    async with two_offices(database_url, clock, open_limit=3, daily_limit=5) as both:
        yield both


async def test_one_person_has_three_open_at_a_time(bot: Bot, stage: Stage) -> None:
    async with bot(OPEN_LIMIT="2"):
        scene = Scene(stage)
        first, _ = await scene.ask("one"), await scene.ask("two")
        await scene.open_form()
        sent = await scene.workspace.submit(
            "rosa", {"Application name": "three", "Reason": "To sync"}
        )
        assert sent.errors["Application name"].startswith(
            "You have 2 registrations open, which is the most."
        )
        await scene.deny(first)
        await scene.until(lambda: f"{first} was denied" in scene.direct("rosa"))
        sent = await scene.workspace.submit(
            "rosa", {"Application name": "three", "Reason": "To sync"}
        )
        assert not sent.errors


async def test_of_many_at_once_only_as_many_as_there_is_room_for(
    offices: tuple[Office, Office],
) -> None:
    """Two replicas count at the same moment, and neither counts without the other."""
    one, other = offices
    done = await asyncio.gather(
        *(
            office.registrar.submit(form(name=f"app {n}"), by=ROSA, origin=f"V{n}")
            for n, office in enumerate([one, other] * 4)
        ),
        return_exceptions=True,
    )
    refused = [each for each in done if isinstance(each, Refusal)]
    assert len(done) - len(refused) == 3
    assert all("You have 3 registrations open" in str(each) for each in refused)


async def test_the_team_begins_so_many_in_24_hours(
    offices: tuple[Office, Office], clock: MovableClock
) -> None:
    one, _ = offices
    for number in range(5):
        id = await one.registrar.submit(form(name=f"app {number}"), by=ROSA, origin=f"V{number}")
        await one.make_pending(id)
        await one.registrar.deny(id, by=ADA, reason="Not now")
    with pytest.raises(Refusal, match="The team has begun 5 registrations in 24 hours"):
        await one.registrar.submit(form(name="app 6"), by=ROSA, origin="V6")


async def test_one_person_leaves_some_of_a_day_to_the_others(
    database_url: str, clock: MovableClock
) -> None:
    """What somebody else takes over counts for whoever began it."""
    policy = Policy(
        team_id=TEAM,
        requesters=frozenset({"*"}),
        approvers=frozenset({ADA.user_id, GRACE.user_id}),
        approvals_needed=1,
        daily_limit=4,
        person_daily_limit=2,
    )
    async with opened(database_url) as database:
        async with database.transaction() as tx:
            await installation.ensure_id(tx, new="aaaabbbbcccc", now=clock.now())
        desk = office(database, clock, policy=policy)
        for _ in range(2):
            id = await desk.pending()
            await desk.registrar.hand_over(id, to=BEN, by=ROSA)
            await desk.registrar.confirm_handover(id, to=BEN, by=ADA)
        with pytest.raises(Refusal, match="You have begun 2 registrations in 24 hours"):
            await desk.submitted()
        await desk.submitted(by=BEN)
        clock.move(timedelta(hours=24, seconds=1))
        await desk.submitted()


async def test_the_share_of_one_person_is_kept_by_two_replicas(
    database_url: str, clock: MovableClock
) -> None:
    async with two_offices(database_url, clock, person_daily_limit=3) as (one, other):
        done = await asyncio.gather(
            *(office.submitted() for office in [one, other] * 4), return_exceptions=True
        )
    refused = [each for each in done if isinstance(each, Refusal)]
    assert len(done) - len(refused) == 3


async def test_the_same_wish_is_offered_instead_of_a_duplicate(scene: Scene) -> None:
    id = await scene.ready("Billing  sync")
    await scene.open_form()
    sent = await scene.workspace.submit(
        "rosa", {"Application name": "billing sync", "Reason": "Again"}
    )
    [sentence] = sent.errors.values()
    assert sentence.startswith(f"{id} is the same: ")
    assert "it is ready" in sentence
    assert len(scene.tenant.applications) == 1


async def test_a_form_that_arrives_twice_is_no_duplicate_of_itself(
    offices: tuple[Office, Office],
) -> None:
    one, other = offices
    wish = form()
    ids = await asyncio.gather(
        *(office.registrar.submit(wish, by=ROSA, origin="V1") for office in (one, other))
    )
    assert len(set(ids)) == 1
