"""Lists: which registrations each holds, in which order, and how long it is beyond its page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval_requests import RequestState
from bot.domain.events import Event
from bot.domain.people import Person
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason
from bot.registrar.deliveries import expected
from bot.storage import approval_requests, history, queries, rows, secrets
from bot.storage import registrations as registered
from bot.storage.database import Database
from bot.storage.queries import ListKind, ListPage, Mark
from bot.storage.tables import messages, runs
from tests.support.factories import ADA, BEN, GRACE, ROSA
from tests.support.registrar_env import RegistrarEnv


async def found(
    env: RegistrarEnv,
    which: ListKind,
    *,
    reader: Person = ROSA,
    limit: int = 10,
    offset: int = 0,
    undecided_by: Person | None = None,
) -> ListPage:
    return await env.database.read(
        queries.find,
        which,
        reader=reader,
        now=env.clock.now(),
        limit=limit,
        offset=offset,
        undecided_by=undecided_by,
    )


def ids(page: ListPage) -> Sequence[str]:
    return [line.id for line in page.lines]


async def test_each_list_holds_its_own(env: RegistrarEnv) -> None:
    planning = await env.submitted()
    pending = await env.pending()
    failed = await env.failed()
    ready = await env.ready()
    assert set(ids(await found(env, ListKind.OPEN))) == {planning, pending, failed}
    assert set(ids(await found(env, ListKind.MINE))) == {planning, pending, failed, ready}
    assert ids(await found(env, ListKind.MINE, reader=ADA)) == []
    assert ids(await found(env, ListKind.WAITING)) == [pending]
    assert ids(await found(env, ListKind.FAILED)) == [failed]
    assert ids(await found(env, ListKind.READY)) == [ready]
    assert set(ids(await found(env, ListKind.ALL))) == {planning, pending, failed, ready}
    assert ids(await found(env, ListKind.EXPIRING)) == []


async def test_a_secret_that_ends_is_listed_and_said_to_have_ended(env: RegistrarEnv) -> None:
    ready = await env.ready()
    for days, listed, has_expired in (
        (334, [], False),
        (2, [ready], False),
        (28, [ready], False),
        (2, [ready], True),
        (365, [], True),
    ):
        env.clock.move(timedelta(days=days))
        assert ids(await found(env, ListKind.EXPIRING)) == listed
        [line] = (await found(env, ListKind.MINE)).lines
        assert line.has_expired is has_expired


async def test_pages_are_parts_of_one_order(env: RegistrarEnv) -> None:
    made = [await env.pending() for _ in range(5)]
    whole = ids(await found(env, ListKind.WAITING))
    assert sorted(whole) == sorted(made)
    pages = [await found(env, ListKind.WAITING, limit=2, offset=at) for at in (0, 2, 4, 6)]
    assert [id for page in pages for id in ids(page)] == whole
    assert {page.total for page in pages} == {5}


async def test_what_waits_or_ends_first_comes_first_and_else_the_newest(env: RegistrarEnv) -> None:
    waiting = [await env.pending() for _ in range(3)]
    assert ids(await found(env, ListKind.WAITING)) == waiting
    assert ids(await found(env, ListKind.MINE)) == waiting[::-1]
    ending = []
    for _ in range(3):
        ending.append(await env.ready())
        env.clock.move(timedelta(days=1))
    env.clock.move(timedelta(days=340))
    assert ids(await found(env, ListKind.EXPIRING)) == ending


async def test_only_what_was_announced_and_still_works_expires(env: RegistrarEnv) -> None:
    one, other = await _in_use(env), await _in_use(env)
    closed = await env.newest_secret(await env.ready())
    env.clock.move(timedelta(days=100))
    run = await env.owe(one, RunKind.REPLACE_SECRET)
    await env.seal(one, run)  # which would end later, and was never announced
    await env.end_run(one, "outage")
    await env.database.write(secrets.close, closed.id, RemovalReason.UNREAD, now=env.clock.now())
    env.clock.move(timedelta(days=236))
    assert set(ids(await found(env, ListKind.EXPIRING))) == {one, other}
    await env.registrar.revocation.revoke(other, by=ROSA)
    assert ids(await found(env, ListKind.EXPIRING)) == [one]


async def _in_use(env: RegistrarEnv) -> str:
    """Return the id of a registration whose secret was seen."""
    id = await env.ready()
    await env.see(id)
    return id


async def test_it_waits_again_for_whose_vote_is_void_and_never_for_who_was_its_requester(
    env: RegistrarEnv,
) -> None:
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    await env.database.write(registered.update, id, status=Status.PENDING)
    assert ids(await found(env, ListKind.WAITING, undecided_by=ADA)) == []
    registration = await env.found(id)
    async with env.database.transaction() as tx:
        await approval_requests.update(tx, id, state=RequestState.WAITING)
        void = replace(registration.votes[0], void="it is gone")
        plan = registration.request(id)
        assert plan is not None
        await approval_requests.judge(tx, id, plan, void, now=env.clock.now())
        await registered.change_requester(tx, registration, BEN)
    assert ids(await found(env, ListKind.WAITING, undecided_by=ADA)) == [id]
    assert ids(await found(env, ListKind.WAITING, undecided_by=GRACE)) == [id]
    for requester in (ROSA, BEN):
        assert ids(await found(env, ListKind.WAITING, undecided_by=requester)) == []


async def test_nothing_waits_for_who_has_decided_or_asked(env: RegistrarEnv) -> None:
    id = await env.pending()
    assert ids(await found(env, ListKind.WAITING, undecided_by=ADA)) == [id]
    assert ids(await found(env, ListKind.WAITING, undecided_by=ROSA)) == []
    await env.registrar.approval.approve(id, by=ADA)
    async with env.database.transaction() as tx:
        await registered.update(tx, id, status=Status.PENDING)
        await approval_requests.update(tx, id, state=RequestState.WAITING)
    assert ids(await found(env, ListKind.WAITING, undecided_by=ADA)) == []
    assert ids(await found(env, ListKind.WAITING, undecided_by=GRACE)) == [id]


async def test_every_change_raises_the_mark(env: RegistrarEnv) -> None:
    async def mark() -> Mark:
        return await env.database.read(queries.mark)

    marks = [await mark()]
    id = await env.pending()
    marks.append(await mark())
    await env.registrar.approval.approve(id, by=ADA)
    marks.append(await mark())
    assert marks == sorted(set(marks))


async def test_messages_that_slack_does_not_take_are_another_mark(env: RegistrarEnv) -> None:
    await env.submitted()
    async with env.database.transaction() as tx:
        before = await queries.mark(tx)
        assert before.unshown == ()
        await rows.update(tx, messages, trouble="is_archived")
        during = await queries.mark(tx)
        assert during.versions == before.versions
        assert {each.code for each in during.unshown} == {"is_archived"}
        await rows.update(tx, messages, shown=messages.c.wanted)
        assert await queries.mark(tx) == before  # whatever the trouble was, nothing waits


@pytest.mark.parametrize(("runs_before", "seconds"), [(2, None), (3, 60.0), (4, 65.0)])
async def test_what_is_expected_is_the_median_of_what_it_took(
    env: RegistrarEnv, database: Database, runs_before: int, seconds: float | None
) -> None:
    for took in (10, 60, 600, 70)[:runs_before]:
        id = await env.ready()
        ended = env.clock.now() + timedelta(seconds=took)
        is_it = (runs.c.registration == id, runs.c.kind == RunKind.REGISTER)
        of = {"created_at": ended - timedelta(seconds=took), "ended_at": ended}
        await database.write(rows.update, runs, *is_it, **of)
    async with database.reading() as tx:
        median = await expected(tx)
    assert (median.total_seconds() if median else None) == seconds


async def test_a_history_of_all_reaches_back_so_far_and_no_further(env: RegistrarEnv) -> None:
    id = await env.submitted()
    async with env.database.transaction() as tx:
        for _ in range(history.REACH):
            await history.write(tx, id, Event.REMINDED, now=env.clock.now())
    async with env.database.reading() as tx:
        of_all = await history.recent(tx, limit=5)
        of_rosa = await history.recent(tx, limit=5, only_of=ROSA)
        of_ben = await history.recent(tx, limit=5, only_of=BEN)
        of_one = await history.recent(tx, limit=5, registration=id)
    assert of_all.total == of_rosa.total == history.REACH
    assert of_all.entries == of_rosa.entries == of_one.entries
    assert of_one.total == history.REACH + 1
    assert of_ben.total == 0
