"""Lists: which registrations each holds, in which order, and how long it is beyond its page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.people import Person
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.storage import history, queries, secrets, votes
from bot.storage import registrations as registered
from bot.storage.database import Database
from bot.storage.queries import ListKind, ListPage, Mark
from bot.storage.tables import messages, registrations, runs
from tests.support.factories import ADA, BEN, GRACE, ROSA
from tests.support.registrar_env import Office


async def found(
    desk: Office,
    which: ListKind,
    *,
    reader: Person = ROSA,
    limit: int = 10,
    offset: int = 0,
    undecided_by: Person | None = None,
) -> ListPage:
    async with desk.database.reading() as tx:
        return await queries.find(
            tx,
            which,
            reader=reader,
            now=desk.clock.now(),
            limit=limit,
            offset=offset,
            undecided_by=undecided_by,
        )


def ids(page: ListPage) -> Sequence[str]:
    return [line.id for line in page.lines]


async def test_each_list_holds_its_own(desk: Office) -> None:
    planning = await desk.submitted()
    pending = await desk.pending()
    failed = await desk.failed()
    ready = await desk.ready()
    assert set(ids(await found(desk, ListKind.OPEN))) == {planning, pending, failed}
    assert set(ids(await found(desk, ListKind.MINE))) == {planning, pending, failed, ready}
    assert ids(await found(desk, ListKind.MINE, reader=ADA)) == []
    assert ids(await found(desk, ListKind.WAITING)) == [pending]
    assert ids(await found(desk, ListKind.FAILED)) == [failed]
    assert ids(await found(desk, ListKind.READY)) == [ready]
    assert set(ids(await found(desk, ListKind.ALL))) == {planning, pending, failed, ready}
    assert ids(await found(desk, ListKind.EXPIRING)) == []


async def test_a_secret_that_ends_is_listed_and_said_to_have_ended(desk: Office) -> None:
    ready = await desk.ready()
    for days, listed, has_expired in (
        (334, [], False),
        (2, [ready], False),
        (28, [ready], False),
        (2, [ready], True),
        (365, [], True),
    ):
        desk.clock.move(timedelta(days=days))
        assert ids(await found(desk, ListKind.EXPIRING)) == listed
        [line] = (await found(desk, ListKind.MINE)).lines
        assert line.has_expired is has_expired


async def test_pages_are_parts_of_one_order(desk: Office) -> None:
    made = [await desk.pending() for _ in range(5)]
    whole = ids(await found(desk, ListKind.WAITING))
    assert sorted(whole) == sorted(made)
    pages = [await found(desk, ListKind.WAITING, limit=2, offset=at) for at in (0, 2, 4, 6)]
    assert [id for page in pages for id in ids(page)] == whole
    assert {page.total for page in pages} == {5}


async def test_what_waits_or_ends_first_comes_first_and_else_the_newest(desk: Office) -> None:
    waiting = [await desk.pending() for _ in range(3)]
    assert ids(await found(desk, ListKind.WAITING)) == waiting
    assert ids(await found(desk, ListKind.MINE)) == waiting[::-1]
    ending = []
    for _ in range(3):
        ending.append(await desk.ready())
        desk.clock.move(timedelta(days=1))
    desk.clock.move(timedelta(days=340))
    assert ids(await found(desk, ListKind.EXPIRING)) == ending


async def test_only_what_was_announced_and_still_works_expires(desk: Office) -> None:
    one, other = await _in_use(desk), await _in_use(desk)
    closed = (await desk.found(await desk.ready())).secret
    assert closed is not None
    desk.clock.move(timedelta(days=100))
    run = await desk.owe(one, RunKind.REPLACE_SECRET)
    await desk.seal(one, run)  # which would end later, and was never announced
    await desk.end_run(one, "outage")
    async with desk.database.transaction() as tx:
        await secrets.change(tx, closed.id, SecretState.CLOSED, since=[SecretState.SEALED])
    desk.clock.move(timedelta(days=236))
    assert set(ids(await found(desk, ListKind.EXPIRING))) == {one, other}
    await desk.registrar.revoke(other, by=ROSA)
    assert ids(await found(desk, ListKind.EXPIRING)) == [one]


async def _in_use(desk: Office) -> str:
    """Return the id of a registration whose secret was seen."""
    id = await desk.ready()
    look = await desk.registrar.reveal(id, by=ROSA, answer_to="https://hooks.slack.com/x")
    await desk.registrar.shown(id, look.secret, by=ROSA)
    await desk.registrar.masked(id, look.secret)
    return id


async def test_it_waits_again_for_whose_vote_is_void_and_never_for_who_was_its_requester(
    desk: Office,
) -> None:
    id = await desk.pending()
    await desk.registrar.approve(id, by=ADA)
    async with desk.database.transaction() as tx:
        await registered.update(tx, id, status=Status.PENDING)
    assert ids(await found(desk, ListKind.WAITING, undecided_by=ADA)) == []
    registration = await desk.found(id)
    async with desk.database.transaction() as tx:
        await votes.update(tx, id, replace(registration.votes[0], void="it is gone"))
        await registered.change_requester(tx, registration, BEN)
    assert ids(await found(desk, ListKind.WAITING, undecided_by=ADA)) == [id]
    assert ids(await found(desk, ListKind.WAITING, undecided_by=GRACE)) == [id]
    for requester in (ROSA, BEN):
        assert ids(await found(desk, ListKind.WAITING, undecided_by=requester)) == []


async def test_nothing_waits_for_who_has_decided_or_asked(desk: Office) -> None:
    id = await desk.pending()
    assert ids(await found(desk, ListKind.WAITING, undecided_by=ADA)) == [id]
    assert ids(await found(desk, ListKind.WAITING, undecided_by=ROSA)) == []
    await desk.registrar.approve(id, by=ADA)
    async with desk.database.transaction() as tx:
        await tx.execute(
            sa.update(registrations).where(registrations.c.id == id).values(status=Status.PENDING)
        )
    assert ids(await found(desk, ListKind.WAITING, undecided_by=ADA)) == []
    assert ids(await found(desk, ListKind.WAITING, undecided_by=GRACE)) == [id]


async def test_every_change_raises_the_mark(desk: Office) -> None:
    async def mark() -> Mark:
        async with desk.database.reading() as tx:
            return await queries.mark(tx)

    marks = [await mark()]
    id = await desk.pending()
    marks.append(await mark())
    await desk.registrar.approve(id, by=ADA)
    marks.append(await mark())
    assert marks == sorted(set(marks))


async def test_messages_that_slack_does_not_take_are_another_mark(desk: Office) -> None:
    await desk.submitted()
    async with desk.database.transaction() as tx:
        before = await queries.mark(tx)
        assert before.unshown == ()
        await tx.execute(sa.update(messages).values(trouble="is_archived"))
        during = await queries.mark(tx)
        assert during.versions == before.versions
        assert {each.code for each in during.unshown} == {"is_archived"}
        await tx.execute(sa.update(messages).values(shown=messages.c.wanted))
        assert await queries.mark(tx) == before  # whatever the trouble was, nothing waits


@pytest.mark.parametrize(("runs_before", "seconds"), [(2, None), (3, 60.0), (4, 65.0)])
async def test_what_is_expected_is_the_median_of_what_it_took(
    desk: Office, database: Database, runs_before: int, seconds: float | None
) -> None:
    for took in (10, 60, 600, 70)[:runs_before]:
        id = await desk.ready()
        ended = desk.clock.now() + timedelta(seconds=took)
        async with database.transaction() as tx:
            await tx.execute(
                sa.update(runs)
                .where(runs.c.registration == id, runs.c.kind == RunKind.REGISTER)
                .values(created_at=ended - timedelta(seconds=took), ended_at=ended)
            )
    expected = await desk.registrar.expected()
    assert (expected.total_seconds() if expected else None) == seconds


async def test_a_history_of_all_reaches_back_so_far_and_no_further(desk: Office) -> None:
    id = await desk.submitted()
    async with desk.database.transaction() as tx:
        for _ in range(history.REACH):
            await history.write(tx, id, "reminded", now=desk.clock.now())
    async with desk.database.reading() as tx:
        of_all = await history.recent(tx, limit=5)
        of_rosa = await history.recent(tx, limit=5, only_of=ROSA)
        of_ben = await history.recent(tx, limit=5, only_of=BEN)
        of_one = await history.recent(tx, limit=5, registration=id)
    assert of_all.total == of_rosa.total == history.REACH
    assert of_all.entries == of_rosa.entries == of_one.entries
    assert of_one.total == history.REACH + 1
    assert of_ben.total == 0
