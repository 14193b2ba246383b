"""Approval requests and their votes: rows that are read, added and changed."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState, Vote
from bot.domain.people import Person
from bot.domain.registration import WAITS_IN, Status
from bot.storage import timers
from bot.storage.rows import from_row
from bot.storage.tables import approval_requests as requests
from bot.storage.tables import timers as dues_table
from bot.storage.tables import votes
from bot.storage.timers import TimerKind

IS_WAITING = requests.c.state == sa.literal_column(f"'{RequestState.WAITING}'")
"""Spelled out: a partial index is not used for a parameter."""

COLUMNS = tuple(column.name for column in votes.c)


async def of(tx: AsyncConnection, registration: str) -> tuple[ApprovalRequest, ...]:
    """Return all that was ever asked of approvers, the latest last, with every vote."""
    query = (
        sa.select(requests, *(votes.c[name].label(f"vote_{name}") for name in COLUMNS))
        .outerjoin(votes, votes.c.request == requests.c.id)
        .where(requests.c.registration == registration)
        .order_by(requests.c.asked_at, requests.c.id, votes.c.at)
    )
    rows = (await tx.execute(query)).mappings()
    return tuple(_request(list(group)) for _, group in groupby(rows, lambda row: row["id"]))


async def given(tx: AsyncConnection, id: str) -> int:
    """Count the approvals of a request that still count."""
    query = sa.select(sa.func.count()).where(
        votes.c.request == id, votes.c.verdict == "approve", votes.c.void.is_(None)
    )
    return int(await tx.scalar(query) or 0)


async def add(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Add one that waits. Raises IntegrityError if one of its kind waits already."""
    columns = {k: v for k, v in vars(request).items() if k not in ("votes", "asked_by")}
    values = columns | {"registration": registration, "asked_by": plain(request.asked_by)}
    await tx.execute(sa.insert(requests).values(values))
    await _plan_timers(tx, registration, request)


async def reopen(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Let one that was decided wait again, as it now is, with the votes that it has."""
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
        await timers.add(tx, registration, TimerKind.EXPIRE, at, subject=request.id)
        await timers.remind_of(tx, registration, request.id, request.asked_at, request.asked_at)


async def update(tx: AsyncConnection, id: str, **columns: Any) -> None:
    await tx.execute(sa.update(requests).where(requests.c.id == id).values(**columns))


async def drop_timers(tx: AsyncConnection, registration: str) -> None:
    """Delete the timers of requests that no longer wait."""
    waiting = sa.select(requests.c.id).where(requests.c.registration == registration, IS_WAITING)
    await tx.execute(
        sa.delete(dues_table).where(
            dues_table.c.registration == registration,
            dues_table.c.kind.in_((TimerKind.EXPIRE, TimerKind.REMIND)),
            dues_table.c.subject.not_in(waiting),
        )
    )


async def supersede(tx: AsyncConnection, registration: str, status: Status) -> None:
    """Supersede what cannot wait in a state that the registration has moved to."""
    stay = [kind for kind, states in WAITS_IN.items() if status in states]
    done = await tx.execute(
        sa.update(requests)
        .where(requests.c.registration == registration, IS_WAITING, requests.c.kind.not_in(stay))
        .values(state=RequestState.SUPERSEDED)
    )
    if done.rowcount:
        await drop_timers(tx, registration)


async def cast(tx: AsyncConnection, request: ApprovalRequest, vote: Vote) -> None:
    """Add a vote. Raises IntegrityError if this person has one on the same that still counts: the
    primary key says no, whatever was read before.
    """
    if any(it.person.key == vote.person.key and it.void for it in request.votes):
        await withdraw(tx, request.id, vote.person)
    values = {k: v for k, v in vars(vote).items() if k != "person"}
    who = plain(vote.person)
    await tx.execute(
        sa.insert(votes).values(values | who | {"request": request.id, "groups": list(vote.groups)})
    )


async def withdraw(tx: AsyncConnection, id: str, person: Person) -> None:
    """Delete a vote; history remembers it."""
    await tx.execute(sa.delete(votes).where(_by(id, person)))


async def judge(tx: AsyncConnection, id: str, vote: Vote) -> None:
    """Note whom a vote speaks for now, and why it no longer counts, if so."""
    query = sa.update(votes).where(_by(id, vote.person))
    await tx.execute(query.values(groups=list(vote.groups), void=vote.void))


def plain(person: Person) -> dict[str, str]:
    """Return what is stored of a person."""
    return {"team_id": person.team_id, "user_id": person.user_id, "name": person.name}


def _by(id: str, person: Person) -> sa.ColumnElement[bool]:
    return sa.and_(
        votes.c.request == id,
        votes.c.team_id == person.team_id,
        votes.c.user_id == person.user_id,
    )


def _request(rows: Sequence[Mapping[Any, Any]]) -> ApprovalRequest:
    return from_row(
        ApprovalRequest,
        rows[0],
        kind=RequestKind(rows[0]["kind"]),
        state=RequestState(rows[0]["state"]),
        asked_by=Person(**rows[0]["asked_by"]),
        votes=tuple(_votes(rows)),
    )


def _votes(rows: Sequence[Mapping[Any, Any]]) -> Iterator[Vote]:
    for row in rows:
        if row["vote_request"] is None:
            continue
        told = {name: row[f"vote_{name}"] for name in COLUMNS}
        who = {name: told[name] for name in ("team_id", "user_id", "name")}
        groups = tuple(told["groups"])
        yield from_row(Vote, told, person=Person(**who), groups=groups)
