"""Dues are taken once; secrets move through their small life and never back."""

import asyncio
from datetime import timedelta

from bot.domain.secrets import SecretState
from bot.storage import secrets, timers
from bot.storage.secrets import Purpose
from bot.storage.timers import Timer, TimerKind
from tests.support.factories import NOON, ROSA
from tests.support.registrar_env import SECRET, Office


async def _come(desk: Office, at: timedelta = timedelta(0)) -> list[Timer]:
    async with desk.database.reading() as tx:
        return list(await timers.find_due(tx, NOON + at, limit=50))


async def test_what_is_due_comes_in_order_and_not_before_its_time(desk: Office) -> None:
    id = await desk.submitted()
    async with desk.database.transaction() as tx:
        for minutes, kind in (
            (10, TimerKind.REMOVE_STRAY),
            (5, TimerKind.MASK),
            (20, TimerKind.REMOVE_UNREAD),
        ):
            await timers.add(tx, id, kind, NOON + timedelta(minutes=minutes))
    assert await _come(desk, timedelta(minutes=4)) == []
    come = await _come(desk, timedelta(minutes=10))
    assert [due.kind for due in come] == [TimerKind.MASK, TimerKind.REMOVE_STRAY]


async def test_a_due_is_taken_by_one(desk: Office) -> None:
    id = await desk.submitted()
    async with desk.database.transaction() as tx:
        await timers.add(tx, id, TimerKind.REMOVE_STRAY, NOON)
    [due] = await _come(desk)

    async def take() -> bool:
        async with desk.database.transaction() as tx:
            return await timers.delete(tx, due.id)

    assert sorted(await asyncio.gather(*(take() for _ in range(5)))) == [False] * 4 + [True]
    assert await _come(desk) == []


async def test_dropping_leaves_other_subjects_and_kinds_alone(desk: Office) -> None:
    id = await desk.submitted()
    async with desk.database.transaction() as tx:
        await timers.add(tx, id, TimerKind.MASK, NOON, subject="s1")
        await timers.add(tx, id, TimerKind.MASK, NOON, subject="s2")
        await timers.add(tx, id, TimerKind.REMOVE_UNREAD, NOON, subject="s1")
        await timers.cancel(tx, id, TimerKind.MASK, "s1")
    left = {(due.kind, due.subject) for due in await _come(desk)}
    assert left == {(TimerKind.MASK, "s2"), (TimerKind.REMOVE_UNREAD, "s1")}


async def test_a_secret_moves_only_from_the_states_that_are_named(desk: Office) -> None:
    id = await desk.ready()
    secret = (await desk.found(id)).secret
    assert secret is not None
    async with desk.database.transaction() as tx:
        assert not await secrets.change(
            tx, secret.id, SecretState.SHOWN, since=[SecretState.CLAIMED]
        )
        assert await secrets.change(
            tx, secret.id, SecretState.CLAIMED, since=[SecretState.SEALED], sealed=None
        )
        assert (await secrets.sealed(tx, secret.id, Purpose.SECRET)).data is None
    assert await desk.secret_state(id) is SecretState.CLAIMED


async def test_the_clear_text_is_in_no_row(desk: Office) -> None:
    id = await desk.ready()
    secret = (await desk.found(id)).secret
    assert secret is not None
    async with desk.database.reading() as tx:
        owner, sealed = await secrets.sealed(tx, secret.id, Purpose.SECRET)
    assert sealed is not None
    assert SECRET.encode() not in sealed
    assert desk.vault.open(owner, sealed) == SECRET


async def test_an_attempt_counts_as_a_secret_only_when_it_was_sealed(desk: Office) -> None:
    id = await desk.approved()
    run = await desk.run_of(id)
    async with desk.database.transaction() as tx:
        await secrets.attempt(tx, id="s0", registration=id, run=run.id, nonce="n0", now=NOON)
        assert await secrets.announced(tx, id) == (None, ())
        assert await secrets.sealed_of_run(tx, run.id) is None
        assert await secrets.live(tx, id) == ()
        assert await secrets.id_of(tx, "n0") == "s0"
    sealed = await desk.seal(id, run)
    async with desk.database.reading() as tx:
        found = await secrets.sealed_of_run(tx, run.id)
        assert found is not None
        assert found.id == sealed
        assert [each.id for each in await secrets.live(tx, id)] == [sealed]
        assert await secrets.announced(tx, id) == (None, ())  # nobody has proven it yet


async def test_a_secret_that_comes_after_the_end_of_its_run_is_left_to_the_sweep(
    desk: Office,
) -> None:
    """A process that was frozen wakes up when its run was taken over and has ended."""
    id = await desk.approved()
    run = await desk.run_of(id)
    await desk.end_run(id, "failed")
    await desk.seal(id, run)
    async with desk.database.reading() as tx:
        assert await secrets.live(tx, id) == ()
        assert await secrets.sealed_of_run(tx, run.id) is None


async def test_a_shown_secret_is_masked_once_and_its_address_forgotten(desk: Office) -> None:
    id = await desk.ready()
    look = await desk.registrar.reveal(id, by=ROSA, answer_to="https://hooks.slack.com/x")
    await desk.registrar.shown(id, look.secret, by=ROSA)
    async with desk.database.reading() as tx:
        address = (await secrets.sealed(tx, look.secret, Purpose.ANSWER)).data
    assert address is not None
    assert b"hooks" not in address
    for _ in range(2):
        await desk.registrar.masked(id, look.secret)
    async with desk.database.reading() as tx:
        assert (await secrets.sealed(tx, look.secret, Purpose.ANSWER)).data is None
    assert await desk.secret_state(id) is SecretState.MASKED
