"""Checks as runs: who is owed one, when the next one comes, and what becomes of one that broke."""

from datetime import timedelta

from bot.domain.lifetimes import CHECK_RETRY
from bot.domain.registration import Check, Status
from bot.domain.runs import RunKind
from bot.storage import registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import Timer, TimerKind
from tests.support.factories import ADA
from tests.support.registrar_env import RegistrarEnv


async def owed(env: RegistrarEnv, id: str) -> list[Timer]:
    """Return the checks that will be due."""
    come = await env.database.read(
        timers.find_due, env.clock.now() + timedelta(days=400), limit=500
    )
    return [due for due in come if due.registration == id and due.kind is TimerKind.CHECK]


async def due_now(env: RegistrarEnv, id: str) -> None:
    await env.database.write(timers.add, id, TimerKind.CHECK, env.clock.now())


async def test_a_due_check_of_what_is_ready_becomes_a_run(env: RegistrarEnv) -> None:
    id = await env.ready()
    await due_now(env, id)
    await env.scheduler().look()
    assert (await env.run_of(id)).kind is RunKind.CHECK


async def test_what_has_ended_or_failed_is_checked_no_more(env: RegistrarEnv) -> None:
    id = await env.failed()
    await due_now(env, id)
    await env.scheduler().look()
    assert (await env.found(id)).run is None
    assert await owed(env, id) == []


async def test_a_due_check_waits_for_the_run_at_work(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.owe(id, RunKind.REMOVE_STRAY)
    await due_now(env, id)
    await env.scheduler().look()
    assert (await env.run_of(id)).kind is RunKind.REMOVE_STRAY
    assert len(await owed(env, id)) == 1


async def test_a_check_that_broke_is_no_failure_of_the_registration(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.registrar.recovery.check(id, by=ADA)
    run = await env.run_of(id)
    await env.runs().died(run.id, "b0g")
    found = await env.found(id)
    assert (found.status, found.failure, found.run) == (Status.READY, None, None)
    assert found.check is not None
    assert found.check.failure == "The bot itself broke down: bug b0g."
    assert [to for to, _ in await env.owed(MessageKind.DRIFT)] == [ADA.user_id]
    (again,) = await owed(env, id)
    assert again.at - env.clock.now() <= CHECK_RETRY
    assert (await env.told(id))[-1] == "check failed"


async def test_a_check_that_was_kept_comes_back_as_it_was(env: RegistrarEnv) -> None:
    id = await env.ready()
    check = Check(at=env.clock.now(), differences=("a", "b"), tolerated=("c",), unseen=("d",))
    async with env.database.transaction() as tx:
        await registrations.bump_version(tx, id)
        await registrations.update(tx, id, last_check=check)
    assert (await env.found(id)).check == check
