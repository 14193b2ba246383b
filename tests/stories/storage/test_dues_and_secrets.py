"""Dues are taken once; secrets move through their small life and never back."""

import asyncio
from datetime import timedelta

from bot.domain.events import Subject
from bot.domain.registration import RunOutcome
from bot.domain.secrets import RemovalReason, SecretState
from bot.storage import messages, secrets, timers
from bot.storage.messages import MessageKind
from bot.storage.secrets import Purpose
from bot.storage.timers import Timer, TimerKind
from tests.support.factories import NOON, ROSA
from tests.support.registrar_env import SECRET, RegistrarEnv
from tests.support.secret_lives import SecretLife


async def _come(env: RegistrarEnv, at: timedelta = timedelta(0)) -> list[Timer]:
    return list(await env.database.read(timers.find_due, NOON + at, limit=50))


async def test_what_is_due_comes_in_order_and_not_before_its_time(env: RegistrarEnv) -> None:
    id = await env.submitted()
    async with env.database.transaction() as tx:
        for minutes, kind in (
            (10, TimerKind.REMOVE_STRAY),
            (5, TimerKind.MASK),
            (20, TimerKind.REMOVE_UNREAD),
        ):
            await timers.add(tx, id, kind, NOON + timedelta(minutes=minutes))
    assert await _come(env, timedelta(minutes=4)) == []
    come = await _come(env, timedelta(minutes=10))
    assert [due.kind for due in come] == [TimerKind.MASK, TimerKind.REMOVE_STRAY]


async def test_a_due_is_taken_by_one(env: RegistrarEnv) -> None:
    id = await env.submitted()
    await env.database.write(timers.add, id, TimerKind.REMOVE_STRAY, NOON)
    [due] = await _come(env)

    async def take() -> bool:
        return await env.database.write(timers.delete, due.id)

    assert sorted(await asyncio.gather(*(take() for _ in range(5)))) == [False] * 4 + [True]
    assert await _come(env) == []


async def test_dropping_leaves_other_subjects_and_kinds_alone(env: RegistrarEnv) -> None:
    id = await env.submitted()
    async with env.database.transaction() as tx:
        await timers.add(tx, id, TimerKind.MASK, NOON, Subject(secret="s1"))
        await timers.add(tx, id, TimerKind.MASK, NOON, Subject(secret="s2"))
        await timers.add(tx, id, TimerKind.REMOVE_UNREAD, NOON, Subject(secret="s1"))
        await timers.cancel(tx, id, TimerKind.MASK, Subject(secret="s1"))
    left = {(due.kind, due.subject.text) for due in await _come(env)}
    assert left == {(TimerKind.MASK, "s2"), (TimerKind.REMOVE_UNREAD, "s1")}


async def test_a_secret_moves_only_from_the_states_that_are_named(env: RegistrarEnv) -> None:
    id = await env.ready()
    secret = await env.newest_secret(id)
    async with env.database.transaction() as tx:
        assert not await secrets.change(
            tx, secret.id, SecretState.SEEN, since=[SecretState.CLAIMED]
        )
        assert await secrets.change(
            tx, secret.id, SecretState.CLAIMED, since=[SecretState.SEALED], sealed=None
        )
        assert (await secrets.sealed(tx, secret.id, Purpose.SECRET)).data is None
    assert await env.secret_life(id) is SecretLife.CLAIMED


async def test_the_clear_text_is_in_no_row(env: RegistrarEnv) -> None:
    id = await env.ready()
    secret = await env.newest_secret(id)
    owner, sealed = await env.database.read(secrets.sealed, secret.id, Purpose.SECRET)
    assert sealed is not None
    assert SECRET.encode() not in sealed
    assert env.vault.open(owner, sealed) == SECRET


async def test_an_attempt_counts_as_a_secret_only_when_it_was_sealed(env: RegistrarEnv) -> None:
    id = await env.approved()
    run = await env.run_of(id)
    async with env.database.transaction() as tx:
        await secrets.attempt(tx, id="s0", registration=id, run=run.id, nonce="n0", now=NOON)
        assert await secrets.announced(tx, id) == (None, ())
        assert await secrets.sealed_of_run(tx, run.id) is None
        assert await secrets.live(tx, id) == ()
        assert await secrets.id_of(tx, "n0") == "s0"
    sealed = await env.seal(id, run)
    async with env.database.reading() as tx:
        found = await secrets.sealed_of_run(tx, run.id)
        assert found is not None
        assert found.id == sealed
        assert [each.id for each in await secrets.live(tx, id)] == [sealed]
        assert await secrets.announced(tx, id) == (None, ())  # nobody has proven it yet


async def test_a_secret_that_comes_after_the_end_of_its_run_is_left_to_the_sweep(
    env: RegistrarEnv,
) -> None:
    """A process that was frozen wakes up when its run was taken over and has ended."""
    id = await env.approved()
    run = await env.run_of(id)
    await env.end_run(id, "failed")
    await env.seal(id, run)
    async with env.database.reading() as tx:
        assert await secrets.live(tx, id) == ()
        assert await secrets.sealed_of_run(tx, run.id) is None


async def test_a_secret_that_its_run_gave_up_is_not_announced_beside_the_one_that_it_made_then(
    env: RegistrarEnv,
) -> None:
    """A run was killed after it had closed a secret that did not work."""
    id = await env.approved()
    run = await env.run_of(id)
    first = await env.seal(id, run)
    assert await env.database.write(secrets.close, first, RemovalReason.UNFINISHED, now=NOON)
    second = await env.seal(id, run)
    await env.end_run(id, RunOutcome.HANDED_OVER)
    newest, others = await env.database.read(secrets.announced, id)
    assert newest is not None
    assert (newest.id, others) == (second, ())


async def test_a_shown_secret_is_masked_once_and_its_address_forgotten(env: RegistrarEnv) -> None:
    id = await env.ready()
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to="https://hooks.slack.com/x")
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    address = (await env.database.read(secrets.sealed, look.secret, Purpose.ANSWER)).data
    assert address is not None
    assert b"hooks" not in address
    for _ in range(2):
        await env.registrar.secrets.masked(id, look.secret)
    assert (await env.database.read(secrets.sealed, look.secret, Purpose.ANSWER)).data is None
    assert await env.secret_life(id) is SecretLife.MASKED
    async with env.database.transaction() as tx:
        mask = Subject(secret=look.secret)
        await messages.add(tx, id, MessageKind.MASK, subject=mask)
    await env.registrar.secrets.unmasked(id, look.secret)  # another process comes late
    assert await env.secret_life(id) is SecretLife.MASKED
