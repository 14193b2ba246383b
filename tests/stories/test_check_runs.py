"""Checks as runs: who is owed one, when the next one comes, and what becomes of one that broke."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.domain.registration import Check, Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.runs.drift_check import TOMORROW
from bot.storage import history, messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import Timer, TimerKind
from tests.support.factories import ADA
from tests.support.registrar_env import Office, office, opened


@pytest.fixture
async def desk(database_url: str, clock: MovableClock) -> AsyncIterator[Office]:
    async with opened(database_url) as database:
        yield office(database, clock)


async def owed(desk: Office, id: str) -> list[Timer]:
    """Return the checks that will be due."""
    async with desk.database.reading() as tx:
        come = await timers.find_due(tx, desk.clock.now() + timedelta(days=400), limit=500)
    return [due for due in come if due.registration == id and due.kind is TimerKind.CHECK]


async def due_now(desk: Office, id: str) -> None:
    async with desk.database.transaction() as tx:
        await timers.add(tx, id, TimerKind.CHECK, desk.clock.now())


async def told(desk: Office) -> list[tuple[MessageKind, str]]:
    """Return which reports are owed, and to whom."""
    async with desk.database.reading() as tx:
        now = desk.clock.now()
        stale = await messages.stale(tx, now, drawn_before=now, limit=100)
    owed = [it.message for it in stale]
    return [(each.kind, each.audience) for each in owed if each.kind is MessageKind.DRIFT]


async def test_a_due_check_of_what_is_ready_becomes_a_run(desk: Office) -> None:
    id = await desk.ready()
    await due_now(desk, id)
    await desk.keeper().look()
    assert (await desk.run_of(id)).kind is RunKind.CHECK


async def test_what_has_ended_or_failed_is_checked_no_more(desk: Office) -> None:
    id = await desk.failed()
    await due_now(desk, id)
    await desk.keeper().look()
    assert (await desk.found(id)).run is None
    assert await owed(desk, id) == []


async def test_a_due_check_waits_for_the_run_at_work(desk: Office) -> None:
    id = await desk.ready()
    await desk.owe(id, RunKind.REMOVE_STRAY)
    await due_now(desk, id)
    await desk.keeper().look()
    assert (await desk.run_of(id)).kind is RunKind.REMOVE_STRAY
    assert len(await owed(desk, id)) == 1


async def test_a_check_that_broke_is_no_failure_of_the_registration(desk: Office) -> None:
    id = await desk.ready()
    await desk.registrar.check(id, by=ADA)
    run = await desk.run_of(id)
    await desk.runs().died(run.id, "b0g")
    found = await desk.found(id)
    assert (found.status, found.failure, found.run) == (Status.READY, None, None)
    assert found.check is not None
    assert found.check.failure == "The bot itself broke down: bug b0g."
    assert await told(desk) == [(MessageKind.DRIFT, ADA.user_id)]
    (again,) = await owed(desk, id)
    assert again.at - desk.clock.now() <= TOMORROW
    async with desk.database.reading() as tx:
        assert [each.what for each in await history.read(tx, id)][-1] == "check failed"


async def test_a_check_that_was_kept_comes_back_as_it_was(desk: Office) -> None:
    id = await desk.ready()
    check = Check(at=desk.clock.now(), differences=("a", "b"), tolerated=("c",), unseen=("d",))
    async with desk.database.transaction() as tx:
        await registrations.bump_version(tx, id)
        await registrations.set_check(tx, id, check)
    assert (await desk.found(id)).check == check
