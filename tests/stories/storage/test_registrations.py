"""Registrations in storage: moves, votes, the installation, runs, health, what is deleted."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import Vote
from bot.domain.forms import FormProblems
from bot.domain.people import Refusal
from bot.domain.registration import MOVES, Deleted, RunOutcome, Status
from bot.domain.runs import RunKind
from bot.storage import (
    approval_requests,
    installation,
    queries,
    registrations,
    retention,
    rows,
    runs,
)
from bot.storage.database import Database
from bot.storage.tables import history as entries
from bot.storage.tables import registrations as table
from bot.storage.tables import runs as all_runs
from tests.support.factories import ADA, BEN, GRACE, NOON, ROSA, form
from tests.support.registrar_env import DIGEST, RegistrarEnv


@pytest.mark.parametrize("origin", list(Status))
async def test_only_the_moves_of_the_table_are_made(env: RegistrarEnv, origin: Status) -> None:
    id = await env.submitted()
    made = set()
    for target in Status:
        async with env.database.transaction() as tx:
            await registrations.update(tx, id, status=origin)
            if await registrations.move(tx, id, target):
                made.add(target)
                assert await _status(tx, id) is target
            else:
                assert await _status(tx, id) is origin
    assert made == MOVES.get(origin, set())


async def test_a_move_that_is_not_made_sets_nothing_else(env: RegistrarEnv) -> None:
    id = await env.pending()
    assert not await env.database.write(registrations.move, id, Status.READY, digest="other")
    assert (await env.found(id)).digest == DIGEST


async def test_a_person_votes_once(env: RegistrarEnv) -> None:
    id = await env.pending()

    await env.cast(id, Vote(person=ADA, verdict="approve", at=NOON))
    # Another name and another mind do not make another person.
    with pytest.raises(sa.exc.IntegrityError):
        await env.cast(id, Vote(person=replace(ADA, name="A. L."), verdict="deny", at=NOON))
    assert len((await env.found(id)).approvals()) == 1


async def test_a_vote_is_withdrawn_by_its_person_and_the_others_stand(env: RegistrarEnv) -> None:
    id = await env.pending()
    namesake = replace(GRACE, user_id=ADA.user_id, team_id="T0OTHER")
    for person in (ADA, GRACE, namesake):
        await env.cast(id, Vote(person=person, verdict="approve", at=NOON))
    await env.database.write(approval_requests.withdraw, id, ADA)
    left = {vote.person.key for vote in (await env.found(id)).votes}
    assert left == {GRACE.key, namesake.key}


async def test_everybody_who_ever_was_the_requester_is_remembered(env: RegistrarEnv) -> None:
    id = await env.pending()
    for heir in (BEN, GRACE):
        found = await env.found(id)
        await env.database.write(registrations.change_requester, found, heir)
    found = await env.found(id)
    assert (found.requester.key, [each.key for each in found.previous_requesters]) == (
        GRACE.key,
        [ROSA.key, BEN.key],
    )


async def test_one_registration_has_one_open_run(env: RegistrarEnv) -> None:
    id = await env.approved()
    with pytest.raises(sa.exc.IntegrityError):
        await env.owe(id, RunKind.REMOVE_STRAY)
    await env.end_run(id)
    await env.owe(id, RunKind.REMOVE_STRAY)
    other = await env.pending()
    await env.owe(other, RunKind.REMOVE_STRAY)
    assert {run.registration for run in await env.database.read(runs.pending)} == {id, other}


async def test_a_run_ends_once(env: RegistrarEnv) -> None:
    id = await env.approved()
    run = await env.run_of(id)
    async with env.database.transaction() as tx:
        assert await runs.end(tx, run.id, outcome=RunOutcome.HANDED_OVER, now=NOON)
        assert not await runs.end(tx, run.id, outcome="failed", now=NOON)
        assert await runs.get(tx, run.id) is None


async def test_a_form_that_was_sent_already_is_the_same_registration(env: RegistrarEnv) -> None:
    first = await env.registrar.submission.submit(form(), by=ROSA, origin="V1")
    assert await env.registrar.submission.submit(form(name="other"), by=ROSA, origin="V1") == first
    assert await env.registrar.submission.submit(form(name="crm"), by=ROSA, origin="V2") != first


async def test_text_that_a_database_cannot_hold_is_refused_before_it_gets_there(
    env: RegistrarEnv,
) -> None:
    """PostgreSQL keeps no NUL and no half of a surrogate pair."""
    for reason in ("a\x00b", "a\ud800b"):
        with pytest.raises(Refusal, match="reason"):
            await env.registrar.submission.submit(form(reason=reason), by=ROSA, origin="V1")
    good = "Zeile eins\nZeile zwei\t👩‍💻 und 日本語"
    id = await env.registrar.submission.submit(form(reason=good), by=ROSA, origin="V1")
    assert (await env.found(id)).form.reason == good


async def test_the_installation_is_named_once(database: Database) -> None:
    async def named(new: str) -> str:
        return await database.write(installation.ensure_id, new=new, now=NOON)

    names = await asyncio.gather(*(named(f"installation{n}") for n in range(8)))
    assert len(set(names)) == 1
    assert await named("another") == names[0]


async def _status(tx: AsyncConnection, id: str) -> Status:
    query = sa.select(table.c.status).where(table.c.id == id)
    return Status((await tx.execute(query)).scalar_one())


async def test_what_was_deleted_is_remembered_once(env: RegistrarEnv) -> None:
    """A crash between the deletion and its commit makes it happen twice."""
    id = await env.failed()
    first = Deleted(step="application", object_id="o1", app_id="a1", at=NOON, was_there=True)
    other = replace(first, step="service_principal", object_id="o2")
    for each in (first, other, replace(first, was_there=False)):
        async with env.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            await registrations.add_deleted(tx, id, each)
    found = await env.found(id)
    assert found.deleted == (other, replace(first, was_there=False))
    assert found.app_id == "a1"


async def test_while_it_is_revoked_the_same_is_not_asked_for_and_room_is_left(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    await env.registrar.revocation.revoke(id, by=ADA)
    name = (await env.found(id)).form.name
    with pytest.raises(FormProblems, match="being revoked"):
        await env.registrar.submission.submit(form(name=name), by=ROSA, origin="V-again")
    async with env.database.transaction() as tx:
        assert await registrations.count_open(tx, ROSA) == 0
        await registrations.move(tx, id, Status.REVOKED)
    assert await env.registrar.submission.submit(form(name=name), by=ROSA, origin="V-again")


async def test_only_runs_that_made_an_application_say_how_long_that_takes(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    await env.failed()
    await env.owe(id, RunKind.REPLACE_SECRET)
    await env.end_run(id, RunOutcome.HANDED_OVER)
    assert len(await env.database.read(runs.durations)) == 1


YEAR = timedelta(days=365)


async def test_what_is_deleted_goes_in_small_transactions(env: RegistrarEnv) -> None:
    ids = [await env.failed() for _ in range(5)]
    async with env.database.transaction() as tx:
        for id in ids:
            await registrations.move(tx, id, Status.UNDONE)
    env.clock.move(YEAR)
    await retention.delete_old(env.database, before=env.clock.now(), batch=2)
    async with env.database.reading() as tx:
        assert not (await tx.scalars(sa.select(all_runs.c.id))).all()
        assert len((await tx.scalars(sa.select(entries.c.registration))).all()) > len(ids)
    await env.registrar.submission.form_of(ids[0], by=ROSA)


async def test_health_counts_what_is_owed(env: RegistrarEnv) -> None:
    fresh = await env.database.read(queries.health)
    assert (fresh.open_runs, fresh.owed_messages, fresh.last_run_at) == (0, 0, None)
    await env.ready()
    await env.submitted()
    found = await env.database.read(queries.health)
    assert (found.open_runs, found.sealed_secrets) == (1, 1)
    assert found.owed_messages > 0
    assert found.last_run_failed is None
    failed = await env.failed()
    is_it = all_runs.c.registration == failed
    await env.database.write(rows.update, all_runs, is_it, outcome="AADSTS7000215")
    assert (await env.database.read(queries.health)).last_run_failed == "AADSTS7000215"
