"""Races: several people, or several processes, at the same moment. Each has one outcome."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from bot.domain.approval_requests import RequestKind, RequestState, Vote
from bot.domain.events import Subject, event
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.storage import history, runs, timers
from bot.storage.timers import TimerKind
from tests.support.concurrency import URL, RegistrarEnvs, all_at_once
from tests.support.factories import ADA, GRACE, ROSA, form
from tests.support.postgres import postgres_is_quick
from tests.support.registrar_env import SECRET, IdleEngine, RegistrarEnv, two_registrar_envs
from tests.support.secret_lives import SecretLife

ROUNDS = 6


async def _what(registrar_env: RegistrarEnv, id: str) -> list[str]:
    return [entry.what for entry in await registrar_env.database.read(history.read, id)]


async def _owed(registrar_env: RegistrarEnv) -> Counter[tuple[str, RunKind]]:
    return Counter(
        (run.registration, run.kind) for run in await registrar_env.database.read(runs.pending)
    )


async def _due(registrar_env: RegistrarEnv, id: str) -> Counter[TimerKind]:
    """Count the registration's timers of the next month."""
    month = registrar_env.clock.now() + timedelta(days=30)
    found = await registrar_env.database.read(timers.find_due, month, limit=500)
    return Counter(each.kind for each in found if each.registration == id)


async def test_votes_count_only_for_the_plan_they_were_given_to(careful: RegistrarEnvs) -> None:
    one, _ = careful
    id = await one.pending()
    vote = Vote(person=GRACE, verdict="approve", at=one.clock.now(), digest="e" * 64)
    await one.cast(id, vote)
    await one.registrar.approval.approve(id, by=ADA)
    assert (await one.found(id)).status is Status.PENDING


@pytest.mark.slow
@postgres_is_quick
async def test_two_last_approvers_at_once_reach_the_quorum(careful: RegistrarEnvs) -> None:
    one, other = careful
    for _ in range(ROUNDS):
        id = await one.pending()
        refused = await all_at_once(
            one.registrar.approval.approve(id, by=ADA),
            other.registrar.approval.approve(id, by=GRACE),
        )
        assert refused == [None, None]
        found = await one.found(id)
        assert found.status is Status.APPROVED
        assert {vote.person.key for vote in found.votes} == {ADA.key, GRACE.key}
        assert (await _owed(one))[id, RunKind.REGISTER] == 1
        assert await _what(one, id) == ["submitted", "planned", "approved", "approved"]


async def test_one_approver_who_clicks_many_times_is_one_vote(careful: RegistrarEnvs) -> None:
    one, other = careful
    id = await one.pending()
    refused = await all_at_once(
        *(
            registrar_env.registrar.approval.approve(id, by=ADA)
            for registrar_env in (one, other)
            for _ in range(4)
        )
    )
    assert refused.count(None) == 1
    assert set(refused) == {
        None,
        f"You have approved {id} already. It needs another approver, too.",
    }
    assert (await one.found(id)).status is Status.PENDING


@postgres_is_quick
async def test_of_approve_and_deny_one_wins_and_the_other_is_told_who_did(
    registrar_envs: RegistrarEnvs,
) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.pending()
        approved, denied = await all_at_once(
            one.registrar.approval.approve(id, by=ADA),
            other.registrar.approval.deny(id, by=GRACE, reason="Not now"),
        )
        found = await one.found(id)
        assert len(found.votes) == 1
        if approved is None:
            assert found.status is Status.APPROVED
            assert denied == f"<@{ADA.user_id}> already approved {id}."
        else:
            assert found.status is Status.DENIED
            assert denied is None
            assert approved == f"<@{GRACE.user_id}> already denied {id}."
            assert (await _owed(one))[id, RunKind.REGISTER] == 0


async def test_of_approving_and_taking_back_one_wins(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.pending()
        refused = await all_at_once(
            one.registrar.approval.approve(id, by=ADA), other.registrar.approval.cancel(id, by=ROSA)
        )
        assert refused.count(None) == 1
        won = Status.APPROVED if refused[0] is None else Status.CANCELLED
        assert (await one.found(id)).status is won
        assert not await _due(one, id)


async def test_of_ten_reveals_at_once_one_gets_the_secret(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(4):
        id = await one.ready()
        looks = await asyncio.gather(
            *(
                registrar_env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
                for registrar_env in (one, other) * 5
            ),
            return_exceptions=True,
        )
        seen = [look for look in looks if not isinstance(look, BaseException)]
        assert len(seen) == 1
        assert SECRET in [line.text for line in seen[0].values.lines]
        told = {str(look) for look in looks if isinstance(look, BaseException)}
        assert told == {f"The secret of {id} is being shown right now."}
        assert await one.secret_life(id) is SecretLife.CLAIMED
        assert (await _what(one, id)).count("secret claimed") == 1


async def test_a_form_sent_twice_at_once_is_one_registration(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for turn in range(ROUNDS):
        origin = f"Vtwice{turn}"
        ids = await asyncio.gather(
            *(
                registrar_env.registrar.submission.submit(form(name=origin), by=ROSA, origin=origin)
                for registrar_env in (one, other) * 2
            )
        )
        assert len(set(ids)) == 1
        assert await _what(one, ids[0]) == ["submitted"]
        assert (await _owed(one))[ids[0], RunKind.PLAN] == 1


async def test_two_forms_never_get_the_same_id(database_url: str, clock: MovableClock) -> None:
    """Both draw the same id at the same moment: one of them draws again."""
    drawn = {name: iter(["AAD-SAME", f"AAD-{name}1", f"AAD-{name}2"]) for name in "AB"}
    async with two_registrar_envs(
        database_url, clock, next_ids=(drawn["A"].__next__, drawn["B"].__next__)
    ) as (one, other):
        ids = await asyncio.gather(one.submitted(), other.submitted())
    assert len(set(ids)) == 2
    assert "AAD-SAME" in ids


@pytest.mark.slow
async def test_asking_twice_to_retry_starts_one_run(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.failed()
        refused = await all_at_once(
            one.registrar.recovery.retry(id, by=ROSA),
            other.registrar.recovery.retry(id, by=ADA),
            other.registrar.recovery.undo(id, by=ADA),
        )
        assert refused.count(None) == 1
        assert sum(count for (owner, _), count in (await _owed(one)).items() if owner == id) == 1


@pytest.mark.slow
async def test_revoking_twice_at_once_is_one_run(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.ready()
        refused = await all_at_once(
            one.registrar.revocation.revoke(id, by=ROSA),
            other.registrar.revocation.revoke(id, by=ADA),
            other.registrar.revocation.revoke(id, by=GRACE),
        )
        assert refused.count(None) == 1
        late = f"{id} is being revoked already. Its card says when that is done."
        assert refused.count(late) == 2
        found = await one.found(id)
        assert found.status is Status.REVOKING
        assert found.revocation is not None
        assert found.revocation.by.key == (ROSA, ADA, GRACE)[refused.index(None)].key
        assert (await _owed(one))[id, RunKind.REVOKE] == 1
        assert (await _what(one, id)).count("revoke asked") == 1


async def test_a_secret_is_revealed_before_it_is_revoked_or_never(
    registrar_envs: RegistrarEnvs,
) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.ready()
        hidden, refused = await all_at_once(
            one.registrar.secrets.reveal(id, by=ROSA, answer_to=URL),
            other.registrar.revocation.revoke(id, by=ADA),
        )
        assert refused is None
        shown = hidden is None
        assert await one.secret_life(id) is (SecretLife.CLAIMED if shown else SecretLife.CLOSED)
        assert hidden in (None, f"{id} is being revoked. Its card says when that is done.")
        # Whatever stands on a screen is still masked.
        assert await _due(one, id) == ({TimerKind.MASK: 1} if shown else {})


@pytest.mark.slow
async def test_a_secret_that_nobody_came_for_is_either_shown_or_removed(
    registrar_envs: RegistrarEnvs,
) -> None:
    """The reveal and the end of its time at the same moment."""
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.ready()
        secret = await one.newest_secret(id)
        now = one.clock.now()
        await one.database.write(
            timers.add, id, TimerKind.REMOVE_UNREAD, now, Subject(secret=secret.id)
        )
        [refused, _] = await all_at_once(
            one.registrar.secrets.reveal(id, by=ROSA, answer_to=URL), other.scheduler().look()
        )
        shown = refused is None
        assert await one.secret_life(id) is (SecretLife.CLAIMED if shown else SecretLife.CLOSED)
        assert (await _owed(one))[id, RunKind.REMOVE_UNREAD] == (0 if shown else 1)
        if shown:
            continue
        assert f"The secret of {id} wasn't picked up" in str(refused)


async def test_hidden_before_it_is_noted_as_shown_a_secret_can_be_made_anew(
    registrar_envs: RegistrarEnvs,
) -> None:
    """The requester is faster than the reveal's second commit: whatever was masked is masked."""
    one, other = registrar_envs
    id = await one.ready()
    look = await one.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await other.registrar.secrets.mask(id, by=ROSA)
    await other.scheduler().look()
    await other.registrar.secrets.masked(id, look.secret)
    await one.registrar.secrets.shown(id, look.secret, by=ROSA)
    assert await one.secret_life(id) is SecretLife.MASKED
    await one.registrar.secrets.replace(id, by=ROSA)


@pytest.mark.slow
async def test_schedulers_of_two_replicas_fire_a_timer_once(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    id = await one.ready()
    await one.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    for _ in range(ROUNDS):
        await one.database.write(timers.add, id, TimerKind.REMOVE_STRAY, one.clock.now())
        await asyncio.gather(*(each.scheduler().look() for each in (one, other) * 2))
        assert (await _owed(one))[id, RunKind.REMOVE_STRAY] == 1
        assert not (await _due(one, id))[TimerKind.REMOVE_STRAY]
        await one.end_run(id)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RequestKind.PLAN, RequestKind.ROTATION])
async def test_expiry_and_approval_at_the_same_moment_have_one_winner(
    registrar_envs: RegistrarEnvs, kind: RequestKind
) -> None:
    one, other = registrar_envs
    for _ in range(ROUNDS):
        if kind is RequestKind.PLAN:
            id = await one.pending()
        else:
            id = await one.in_use()
            await one.registrar.requests.rotation(id, by=ROSA)
        request = await one.asked(id, kind)
        at = one.clock.now()
        assert await one.database.write(timers.bring_forward, id, TimerKind.EXPIRE, at)
        [refused, _] = await all_at_once(
            one.registrar.approval.approve(id, request.id, by=ADA), other.scheduler().look()
        )
        won = RequestState.APPROVED if refused is None else RequestState.EXPIRED
        assert (await one.asked(id, kind)).state is won
        confirmed = event(kind, "confirmed" if refused is None else "expired")
        assert (await _what(one, id))[-1] == confirmed
        if kind is RequestKind.PLAN:
            assert (await one.found(id)).status is Status(won)


async def test_a_run_that_cannot_be_started_keeps_no_other_waiting(env: RegistrarEnv) -> None:
    broken, fine = await env.approved(), await env.approved()
    engine = IdleEngine()
    engine.poison.add((await env.run_of(broken)).id)
    await env.scheduler(engine).look()
    assert engine.started == [(await env.run_of(fine)).id]


@pytest.mark.slow
async def test_a_dead_run_is_buried_once(registrar_envs: RegistrarEnvs) -> None:
    """Two replicas find it at the same moment, and a third that was frozen wakes up later."""
    one, other = registrar_envs
    for _ in range(ROUNDS):
        id = await one.approved()
        run = await one.run_of(id)
        await asyncio.gather(
            *(
                registrar_env.runs().died(run.id, f"bug{n}")
                for n, registrar_env in enumerate((one, other) * 2)
            )
        )
        await other.runs().died(run.id, "late")
        found = await one.found(id)
        assert found.status is Status.FAILED
        assert found.failure is not None
        assert found.failure.bug != "late"
        assert await _what(one, id) == ["submitted", "planned", "approved", "failed"]
        assert await _due(one, id) == {TimerKind.UNDO: 1, TimerKind.REMOVE_STRAY: 2}
