"""Settling: where a registration of a restored copy stands by what the tenant shows of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestKind, Vote
from bot.domain.events import Event
from bot.domain.people import Refusal
from bot.domain.registration import RESTORED_MOVES, Registration, Status
from bot.domain.runs import RunKind
from bot.restore.registration_reconciler import RegistrationReconciler, TenantState
from bot.storage import approval_requests, audit, history, registrations, runs, secrets
from bot.storage.history import Entry
from graph.orphans import DeletedApplication, HeldSecret, TaggedApplication
from tests.support.factories import ADA, BEN, CLIENT_ID, NOON, ROSA
from tests.support.registrar_env import DIGEST, RegistrarEnv
from tests.support.secret_lives import SecretLife, life_of

MADE = {"application": {"object_id": "o1", "app_id": CLIENT_ID}}
LATER = NOON + timedelta(days=3650)
NEW = HeldSecret(key_id="k-new", hint="abc", made_at=LATER, expires_at=LATER + timedelta(days=365))
ABSENT = TenantState()
DELETED = TenantState(
    deleted=DeletedApplication(id="o1", app_id=CLIENT_ID, name="", registration="", purged_at=NOON)
)
Begin = Callable[[RegistrarEnv], Awaitable[str]]


def there(*known: HeldSecret) -> TenantState:
    return TenantState(
        application=TaggedApplication(
            id="o1",
            app_id=CLIENT_ID,
            name="billing",
            key="k",
            created_by="bot",
            registration="",
            is_complete=True,
            held=known,
        ),
        principal_id="p1",
    )


async def held(env: RegistrarEnv, id: str) -> HeldSecret:
    """Return the registration's newest secret as Entra holds it."""
    return replace(NEW, key_id=(await env.newest_secret(id)).key_id or "")


async def settled(
    env: RegistrarEnv, id: str, shown: TenantState, *, made: bool = False
) -> tuple[Registration, list[Entry]]:
    """Settle it; return what came of it, and what history says of the restore."""
    copy = await env.found(id)
    if made:
        copy = replace(copy, facts=MADE)
    now = env.clock.now()
    async with env.database.transaction() as tx:
        await RegistrationReconciler(tx, copy, shown, since=now, now=now).reconcile()
    told = [each for each in await env.database.read(history.read, id) if each.what == "restored"]
    return await env.found(id), told


@pytest.mark.parametrize(
    ("begin", "made", "shown", "status"),
    [
        (RegistrarEnv.submitted, False, ABSENT, Status.PLANNING),
        (RegistrarEnv.submitted, False, there(NEW), Status.PLANNING),  # there is no plan yet
        (RegistrarEnv.pending, False, ABSENT, Status.PENDING),
        (RegistrarEnv.pending, False, there(), Status.PENDING),  # its approval goes on from there
        (RegistrarEnv.pending, False, there(NEW), Status.READY),
        (RegistrarEnv.pending, False, DELETED, Status.REVOKED),
        (RegistrarEnv.approved, False, ABSENT, Status.FAILED),
        (RegistrarEnv.approved, True, there(), Status.FAILED),
        (RegistrarEnv.approved, True, there(NEW), Status.READY),
        (RegistrarEnv.approved, True, ABSENT, Status.REVOKED),
        (RegistrarEnv.failed, False, ABSENT, Status.FAILED),
        (RegistrarEnv.failed, True, there(), Status.FAILED),
        (RegistrarEnv.failed, True, there(NEW), Status.READY),
        (RegistrarEnv.failed, True, DELETED, Status.REVOKED),
        (RegistrarEnv.ready, True, there(NEW), Status.READY),
        (RegistrarEnv.ready, True, ABSENT, Status.REVOKED),
        (RegistrarEnv.ready, True, DELETED, Status.REVOKED),
    ],
)
async def test_a_registration_takes_the_state_that_entra_shows(
    env: RegistrarEnv, begin: Begin, made: bool, shown: TenantState, status: Status
) -> None:
    id = await begin(env)
    before = (await env.found(id)).status
    found, told = await settled(env, id, shown, made=made)
    assert found.status is status
    if status is not before:
        (entry,) = told
        assert (entry.details["was"], entry.details["became"]) == (before, status)
    if status is Status.READY and shown.application:
        assert found.secret is not None
        assert life_of(found.secret) is SecretLife.UNKNOWN
        assert made or found.app_id == CLIENT_ID


async def test_nothing_that_was_at_work_goes_on_unless_it_only_reads_or_removes(
    env: RegistrarEnv,
) -> None:
    planning, approved = await env.submitted(), await env.approved()
    old = {(await env.run_of(id)).id for id in (planning, approved)}
    await settled(env, planning, ABSENT)
    await settled(env, approved, ABSENT)
    (owed,) = await env.database.read(runs.pending)
    assert (owed.registration, owed.kind) == (planning, RunKind.PLAN)
    assert owed.id not in old  # the engine takes it for another


async def test_a_secret_that_is_gone_is_lost_and_one_that_is_there_is_in_doubt(
    env: RegistrarEnv,
) -> None:
    kept, gone = await env.ready(), await env.ready()
    secret = await env.newest_secret(kept)
    found, _ = await settled(env, kept, there(await held(env, kept)), made=True)
    assert found.secret is not None
    assert (found.secret.id, life_of(found.secret)) == (secret.id, SecretLife.UNKNOWN)
    assert await env.database.read(secrets.unseen) != []  # the other one
    found, _ = await settled(env, gone, there(), made=True)
    assert found.secret is not None
    assert life_of(found.secret) is SecretLife.REMOVED
    assert await env.database.read(secrets.unseen) == []


async def test_what_is_not_in_doubt_is_left_alone(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.see(id)
    before = await env.found(id)
    found, told = await settled(env, id, there(await held(env, id)), made=True)
    assert (found.version, told) == (before.version, [])


async def test_approvals_of_a_rotation_that_waits_are_void(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.see(id)
    await env.registrar.requests.rotation(id, by=ROSA)
    found, told = await settled(env, id, there(await held(env, id)), made=True)
    assert found.waiting(RequestKind.ROTATION) is not None
    assert (await env.asked(id)).approvals() == ()
    assert len(told) == 1
    await env.registrar.approval.approve(id, (await env.asked(id)).id, by=ADA)


async def test_approvals_of_a_purge_that_waits_are_void(env: RegistrarEnv) -> None:
    """They may have been withdrawn after the copy was made, and a purge cannot be undone."""
    id, now = await env.ready(), env.clock.now()
    vote = Vote(person=BEN, verdict="approve", at=now, digest=DIGEST)
    asked = ApprovalRequest(
        id="purge-1", kind=RequestKind.PURGE, asked_by=ADA, asked_at=now, digest=DIGEST
    )
    async with env.database.transaction() as tx:
        await _revoke(tx, id)
        await approval_requests.add(tx, id, asked)
        await history.write(tx, id, Event.PURGE_REQUESTED, by=ADA, now=now, request=asked.id)
        await approval_requests.cast(tx, asked, vote)
        assert id in await registrations.unsettled(tx)
    found, told = await settled(env, id, DELETED, made=True)
    assert found.status is Status.REVOKED
    waiting = found.waiting(RequestKind.PURGE)
    assert waiting is not None
    assert [each.void is None for each in waiting.votes] == [False]
    assert len(told) == 1


@pytest.mark.parametrize("request_id", ["purge-1", None], ids=["approved", "from before requests"])
async def test_a_purge_that_was_at_work_has_to_be_asked_for_again(
    env: RegistrarEnv, request_id: str | None
) -> None:
    """Else a row of a run that someone adds later would delete for good what nobody asks for."""
    id, now = await env.ready(), env.clock.now()
    of = {} if request_id is None else {"request": request_id}
    async with env.database.transaction() as tx:
        await _revoke(tx, id)
        await history.write(tx, id, Event.PURGE_REQUESTED, by=ADA, now=now, **of)
        await runs.add(tx, registration=id, kind=RunKind.PURGE, now=now, subject=request_id)
        await _check_may_purge(tx, id, request_id)
    found, told = await settled(env, id, DELETED, made=True)
    assert (found.run, len(told)) == (None, 1)
    async with env.database.transaction() as tx:
        await runs.add(tx, registration=id, kind=RunKind.PURGE, now=now, subject=request_id)
        with pytest.raises(Refusal):
            await _check_may_purge(tx, id, request_id)


@pytest.mark.parametrize(
    ("shown", "status"), [(there(NEW), Status.READY), (ABSENT, Status.REVOKED)]
)
async def test_approvals_of_a_plan_that_was_carried_out_after_the_copy_are_used(
    env: RegistrarEnv, shown: TenantState, status: Status
) -> None:
    """Else a row of a run that someone adds later would carry it out once more."""
    id = await env.approved()
    before = await env.found(id)
    await env.database.read(_check_may_run, before)
    found, _ = await settled(env, id, shown, made=True)
    assert (found.status, found.run) == (status, None)
    async with env.database.reading() as tx:
        assert await audit.findings(tx, id) == []
        with pytest.raises(Refusal):
            await _check_may_run(tx, found)


async def _revoke(tx: AsyncConnection, id: str) -> None:
    await registrations.bump_version(tx, id)
    for status in (Status.REVOKING, Status.REVOKED):
        await registrations.move(tx, id, status)


async def _check_may_run(tx: AsyncConnection, registration: Registration) -> None:
    """Check what a run that carries out a plan asks history for."""
    await audit.check_not_carried_out(tx, registration)
    await audit.check_approved(tx, registration, None, registration.approvals())


async def _check_may_purge(tx: AsyncConnection, id: str, request: str | None) -> None:
    found = await registrations.get(tx, id)
    assert found is not None
    await audit.check_purge(tx, found, DIGEST, request)


async def test_the_comparison_makes_no_move_that_it_may_not(env: RegistrarEnv) -> None:
    id = await env.ready()
    async with env.database.transaction() as tx:
        for target, may in ((Status.PENDING, False), (Status.READY, False), (Status.REVOKED, True)):
            assert not await registrations.move(tx, id, target)
            assert await registrations.move(tx, id, target, moves=RESTORED_MOVES) is may
