"""Rotations and several people, or several processes, at the same moment. Each has one outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.approval_requests import RequestKind, RequestState
from bot.domain.events import Subject
from bot.domain.lifetimes import PREVIOUS_SECRET
from bot.domain.people import Person, Refusal
from bot.domain.registration import RunOutcome
from bot.domain.runs import Failure, RunKind
from bot.runs.base import StepFailed
from bot.runs.cleanup import Cleanup
from bot.storage import rows, runs, tables, timers
from bot.storage.queries import ListKind
from bot.storage.timers import TimerKind
from tests.support.concurrency import URL, RegistrarEnvs, all_at_once
from tests.support.factories import ADA, GRACE, ROSA
from tests.support.registrar_env import RegistrarEnv
from tests.support.secret_lives import SecretLife, life_of

ROUNDS = 6


async def _approved_by_both(registrar_env: RegistrarEnv) -> str:
    """Return the same where two approvals are needed."""
    id = await registrar_env.pending()
    for approver in (ADA, GRACE):
        await registrar_env.registrar.approval.approve(id, by=approver)
    await registrar_env.see(await registrar_env.make_ready(id))
    return id


async def _asked(registrar_env: RegistrarEnv, id: str) -> str:
    await registrar_env.registrar.requests.rotation(id, by=ROSA)
    return (await registrar_env.asked(id)).id


async def _rotated(registrar_env: RegistrarEnv, id: str) -> None:
    """Let the run that was asked for make its secret."""
    run = await registrar_env.run_of(id)
    assert run.kind is RunKind.ADD_SECRET
    await registrar_env.seal(id, run)
    await registrar_env.end_run(id, RunOutcome.HANDED_OVER)


async def _followed(registrar_env: RegistrarEnv) -> tuple[str, str]:
    """Return the ids of a registration and of its old secret; the one that follows was seen."""
    id, old = await _made_beside(registrar_env)
    await registrar_env.see(id)
    return id, old


async def _made_beside(registrar_env: RegistrarEnv) -> tuple[str, str]:
    """Return the same before anybody has seen the one that follows."""
    id = await registrar_env.in_use()
    old = await registrar_env.newest_secret(id)
    rotation = await _asked(registrar_env, id)
    await registrar_env.registrar.approval.approve(id, rotation, by=ADA)
    await _rotated(registrar_env, id)
    return id, old.id


@pytest.mark.slow
async def test_two_confirmations_at_once_start_one_run(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.in_use()
        rotation = await _asked(one, id)
        refused = await all_at_once(
            one.registrar.approval.approve(id, rotation, by=ADA),
            other.registrar.approval.approve(id, rotation, by=GRACE),
        )
        assert refused.count(None) == 1
        assert f"This rotation of {id} was confirmed already." in refused
        run = await one.run_of(id)
        assert (run.kind, run.subject) == (RunKind.ADD_SECRET, rotation)
        assert len((await one.asked(id)).approvals()) == 1


@pytest.mark.slow
async def test_two_last_approvers_at_once_reach_the_quorum(careful: RegistrarEnvs) -> None:
    one, other = careful
    for _ in range(ROUNDS):
        id = await _approved_by_both(one)
        rotation = await _asked(one, id)
        refused = await all_at_once(
            *(one.registrar.approval.approve(id, rotation, by=ADA) for _ in range(2)),
            other.registrar.approval.approve(id, rotation, by=GRACE),
        )
        assert refused.count(None) == 2
        assert (await one.run_of(id)).kind is RunKind.ADD_SECRET


@pytest.mark.slow
@pytest.mark.parametrize("otherwise", [RequestState.DENIED, RequestState.CANCELLED])
async def test_of_confirming_and_ending_it_otherwise_one_wins(
    registrar_envs: RegistrarEnvs, otherwise: RequestState
) -> None:
    one, other = registrar_envs
    ends: dict[RequestState, Callable[[str, str], Awaitable[None]]] = {
        RequestState.DENIED: partial(other.registrar.approval.deny, by=GRACE, reason="Not now"),
        RequestState.CANCELLED: partial(other.registrar.approval.cancel, by=ROSA),
    }
    for _ in range(ROUNDS):
        id = await one.in_use()
        rotation = await _asked(one, id)
        confirmed, ended = await all_at_once(
            one.registrar.approval.approve(id, rotation, by=ADA), ends[otherwise](id, rotation)
        )
        assert (confirmed is None) != (ended is None)
        won = RequestState.APPROVED if confirmed is None else otherwise
        assert (await one.asked(id)).state is won
        assert await one.database.read(runs.is_busy, id) is (confirmed is None)


@pytest.mark.slow
async def test_asked_twice_at_once_it_is_asked_once(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.in_use()
        refused = await all_at_once(
            *(each.registrar.requests.rotation(id, by=ROSA) for each in (one, other) * 2)
        )
        assert refused.count(None) == 1
        assert set(refused) == {
            None,
            f"A rotation of {id} was asked for already. An approver has to confirm it.",
        }


async def test_a_vote_counts_for_the_rotation_it_was_given_to(careful: RegistrarEnvs) -> None:
    one, _ = careful
    id = await _approved_by_both(one)
    first = await _asked(one, id)
    await one.registrar.approval.approve(id, first, by=ADA)
    await one.registrar.approval.deny(id, first, by=GRACE, reason="Not now")
    second = await _asked(one, id)
    with pytest.raises(Refusal, match="read the newest one"):
        await one.registrar.approval.approve(id, first, by=GRACE)
    await one.registrar.approval.approve(id, second, by=GRACE)
    found = await one.found(id)
    assert found.waiting(RequestKind.ROTATION) is not None  # Ada's vote was for the first
    assert [vote.person.key for vote in (await one.asked(id)).approvals()] == [GRACE.key]
    assert {vote.person.key for vote in found.votes} == {ADA.key, GRACE.key}  # the plan's
    await one.registrar.approval.approve(id, second, by=ADA)
    assert (await one.run_of(id)).subject == second


async def test_a_rotation_waits_for_those_who_can_decide(env: RegistrarEnv) -> None:
    id = await env.in_use()
    await env.registrar.requests.rotation(id, by=ADA)
    assert await _waiting(env, GRACE) == [id]
    assert await _waiting(env, ADA) == []
    rotation = (await env.asked(id)).id
    await env.registrar.approval.approve(id, rotation, by=GRACE)
    assert await _waiting(env, GRACE) == []


async def test_whoever_has_confirmed_waits_for_the_others(careful: RegistrarEnvs) -> None:
    """Both have voted on the plan before, which is another thing."""
    one, _ = careful
    id = await _approved_by_both(one)
    rotation = await _asked(one, id)
    assert await _waiting(one, GRACE) == await _waiting(one, ADA) == [id]
    await one.registrar.approval.approve(id, rotation, by=GRACE)
    assert await _waiting(one, GRACE) == []
    assert await _waiting(one, ADA) == [id]


async def _waiting(registrar_env: RegistrarEnv, who: Person) -> list[str]:
    page = await registrar_env.registrar.queries.listed(ListKind.WAITING, by=who, for_all=False)
    return [each.id for each in page.lines]


async def test_the_old_secret_goes_once_and_only_when_the_new_one_was_seen(
    registrar_envs: RegistrarEnvs,
) -> None:
    one, other = registrar_envs
    id, old = await _made_beside(one)
    found = await one.found(id)
    assert found.previous_secret is not None
    assert (found.previous_secret.id, found.previous_secret.remove_at) == (old, None)
    await one.see(id)
    previous = (await one.found(id)).previous_secret
    assert previous is not None
    assert previous.remove_at is not None
    one.clock.move(previous.remove_at - one.clock.now() + timedelta(seconds=1))
    await asyncio.gather(*(each.scheduler().look() for each in (one, other) * 2))
    run = await one.run_of(id)
    assert (run.kind, run.subject) == (RunKind.REMOVE_PREVIOUS, old)


async def test_asked_at_once_the_old_secret_is_removed_once(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    id, _ = await _followed(one)
    refused = await all_at_once(
        *(
            each.registrar.secrets.remove_previous(id, by=who)
            for each, who in ((one, ROSA), (other, GRACE)) * 2
        )
    )
    assert refused.count(None) == 1
    await asyncio.gather(*(each.scheduler().look() for each in (one, other) * 2))
    assert (await one.run_of(id)).kind is RunKind.REMOVE_PREVIOUS
    assert await _removals(one, id) == 1
    await one.end_run(id)
    one.clock.move(PREVIOUS_SECRET)
    await asyncio.gather(*(each.scheduler().look() for each in (one, other) * 2))
    assert await _removals(one, id) == 1


async def _removals(registrar_env: RegistrarEnv, id: str) -> int:
    """Return how many runs were or are to remove a previous secret, when none is still due."""
    runs, database = tables.runs, registrar_env.database
    assert await database.read(timers.subjects, id, TimerKind.REMOVE_PREVIOUS) == []
    are_it = (runs.c.registration == id, runs.c.kind == RunKind.REMOVE_PREVIOUS)
    return await database.read(rows.count, runs, *are_it)


async def test_a_removal_that_failed_comes_again_though_a_newer_secret_is_made(
    env: RegistrarEnv,
) -> None:
    id, old = await _followed(env)
    await env.registrar.secrets.remove_previous(id, by=ADA)
    await env.scheduler().look()
    failed = await env.run_of(id)
    assert failed.kind is RunKind.REMOVE_PREVIOUS
    outage = Failure(step="Run", sentence="Entra does not answer.", advice="Retry.")
    unreachable = StepFailed("unreachable", outage)
    await Cleanup(env.services).fail(failed, unreachable)
    await env.replace(id)
    previous = next(each for each in (await env.found(id)).other_secrets if each.id == old)
    assert previous.remove_at is not None
    assert previous.removal_began
    with pytest.raises(Refusal, match="is being removed"):
        await env.registrar.secrets.remove_previous(id, by=ADA)
    assert await env.database.read(timers.subjects, id, TimerKind.REMOVE_PREVIOUS) == [
        Subject(secret=old)
    ]


async def test_a_newer_secret_puts_off_only_what_has_not_come(env: RegistrarEnv) -> None:
    id, old = await _followed(env)
    await env.replace(id)
    previous = next(each for each in (await env.found(id)).other_secrets if each.id == old)
    assert previous.remove_at is None
    assert await env.database.read(timers.subjects, id, TimerKind.REMOVE_PREVIOUS) == []


async def test_a_late_mask_of_the_old_secret_starts_no_grace(env: RegistrarEnv) -> None:
    """The old env is hidden after the new env was made: nobody has seen the new env by that."""
    id = await env.ready()
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.approval.approve(id, await _asked(env, id), by=ADA)
    await _rotated(env, id)
    await env.registrar.secrets.masked(id, look.secret)
    found = await env.found(id)
    assert found.secret is not None
    assert life_of(found.secret) is SecretLife.SEALED
    assert [each.remove_at for each in (found.secret, *found.other_secrets)] == [None, None]


async def test_an_approver_who_asks_must_leave_enough_others(careful: RegistrarEnvs) -> None:
    one, _ = careful
    id = await _approved_by_both(one)
    with pytest.raises(Refusal, match="beside you, and there are too few"):
        await one.registrar.requests.rotation(id, by=ADA)
    await one.registrar.requests.rotation(id, by=ROSA)
