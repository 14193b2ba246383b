"""Approval requests and their votes: rows that are read, added and changed."""

from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestState, Vote
from bot.domain.events import Subject
from bot.domain.people import Person
from bot.domain.registration import WAITS_IN, Status
from bot.storage import messages, rows, timers
from bot.storage.rows import THIS, Row, from_row, insert, is_person, part_of, person_of, plain
from bot.storage.tables import approval_requests as requests
from bot.storage.tables import timers as dues_table
from bot.storage.tables import votes
from bot.storage.timers import TimerKind

IS_WAITING = requests.c.state == sa.literal_column(f"'{RequestState.WAITING}'")
"""Spelled out: a partial index is not used for a parameter."""


_OF = (
    sa.select(requests, votes)
    .outerjoin(votes, votes.c.request == requests.c.id)
    .where(requests.c.registration == THIS)
    .order_by(requests.c.asked_at, requests.c.id, votes.c.at)
)


async def of(tx: AsyncConnection, registration: str) -> tuple[ApprovalRequest, ...]:
    """Return every request to approvers, the latest last, with every vote."""
    found = (await tx.execute(_OF, {"this": registration})).mappings()
    return tuple(_request(list(group)) for _, group in groupby(found, lambda row: row["id"]))


async def given(tx: AsyncConnection, id: str) -> int:
    """Count the approvals of a request that still count."""
    is_valid = sa.and_(votes.c.verdict == "approve", votes.c.void.is_(None))
    return await rows.count(tx, votes, votes.c.request == id, is_valid)


async def add(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Add a waiting request. Raises IntegrityError if another of its kind waits already."""
    columns = {name: value for name, value in vars(request).items() if name != "votes"}
    await insert(tx, requests, registration=registration, **columns)
    await _plan_timers(tx, registration, request)


async def reopen(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Let a decided request wait again, as it now is, with its votes."""
    await update(
        tx,
        request.id,
        state=RequestState.WAITING,
        asked_at=request.asked_at,
        expires_at=request.expires_at,
    )
    await _plan_timers(tx, registration, request)


async def _plan_timers(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    if request.expires_at is not None:
        at = request.expires_at
        await timers.add(tx, registration, TimerKind.EXPIRE, at, Subject(request=request.id))
        await timers.remind_of(tx, registration, request.id, request.asked_at, request.asked_at)


async def update(tx: AsyncConnection, id: str, **columns: Any) -> None:
    await rows.update(tx, requests, requests.c.id == id, **columns)


async def drop_timers(tx: AsyncConnection, registration: str) -> None:
    """Delete the timers of requests that no longer wait, and let their reminders say so."""
    waiting = sa.select(requests.c.id).where(requests.c.registration == registration, IS_WAITING)
    await tx.execute(
        sa.delete(dues_table).where(
            dues_table.c.registration == registration,
            dues_table.c.kind.in_((TimerKind.EXPIRE, TimerKind.REMIND)),
            dues_table.c.subject.not_in(waiting),
        )
    )
    await messages.end_reminders(tx, registration, waiting)


async def supersede(tx: AsyncConnection, registration: str, status: Status) -> None:
    """Supersede requests that cannot wait in a state that the registration has moved to."""
    stay = [kind for kind, states in WAITS_IN.items() if status in states]
    is_out_of_place = sa.and_(IS_WAITING, requests.c.kind.not_in(stay))
    of = requests.c.registration == registration
    if await rows.update(tx, requests, of, is_out_of_place, state=RequestState.SUPERSEDED):
        await drop_timers(tx, registration)


async def cast(tx: AsyncConnection, request: ApprovalRequest, vote: Vote) -> None:
    """Add a vote. Raises IntegrityError if this person has one on the same that still counts: the
    primary key says no, even if an earlier read found none.
    """
    if any(it.person.key == vote.person.key and it.void for it in request.votes):
        await withdraw(tx, request.id, vote.person)
    columns = {name: value for name, value in vars(vote).items() if name != "person"}
    await insert(tx, votes, request=request.id, **columns, **plain(vote.person))


async def withdraw(tx: AsyncConnection, id: str, person: Person) -> None:
    """Delete a vote; history remembers it."""
    await tx.execute(sa.delete(votes).where(_by(id, person)))


async def judge(tx: AsyncConnection, id: str, vote: Vote) -> None:
    """Note which groups a vote speaks for now, and why it no longer counts, if so."""
    await rows.update(tx, votes, _by(id, vote.person), groups=vote.groups, void=vote.void)


def _by(id: str, person: Person) -> sa.ColumnElement[bool]:
    return sa.and_(votes.c.request == id, is_person(votes, person))


def _request(found: list[Row]) -> ApprovalRequest:
    """Return a request of which each row holds another vote, if there is any."""
    given = [part_of(row, votes) for row in found if row[votes.c.request] is not None]
    cast = tuple(from_row(Vote, each, person=person_of(each)) for each in given)
    return from_row(ApprovalRequest, part_of(found[0], requests), votes=cast)
