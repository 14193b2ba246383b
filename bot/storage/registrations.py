"""Registrations: add, read (with requests and votes), lock, move and update them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestState, Vote
from bot.domain.people import Person
from bot.domain.registration import (
    MOVES,
    WAITS_IN,
    Deleted,
    Moves,
    Registration,
    Status,
    origins,
)
from bot.domain.runs import Failure
from bot.storage import rows, runs, secrets
from bot.storage.messages import ENDED, SAID_ONCE, end_reminders
from bot.storage.rows import THIS, Row, from_row, insert, is_person, part_of, person_of, plain
from bot.storage.tables import approval_requests as requests_table
from bot.storage.tables import messages, previous_requesters, registrations, votes
from bot.storage.tables import runs as runs_table
from bot.storage.tables import timers as timers_table
from bot.storage.timers import TimerKind

OPEN = (
    *(Status.PLANNING, Status.PENDING, Status.APPROVED, Status.WAITING_FOR_CONSENT),
    Status.FAILED,
)
"""States in which something is still to be decided or done."""
TAKEN = (*OPEN, Status.READY, Status.REVOKING)
"""States in which there is, or may be, an application."""
IS_WAITING = requests_table.c.state == sa.literal_column(f"'{RequestState.WAITING}'")
"""Spelled out: a partial index is not used for a parameter."""


async def from_origin(tx: AsyncConnection, origin: str) -> str | None:
    """Return the registration that this form has become already."""
    return await rows.scalar(tx, registrations.c.id, registrations.c.origin == origin)


async def add(
    tx: AsyncConnection, registration: Registration, *, origin: str, wish_digest: str
) -> bool:
    """Add it; False if its id is taken, or if its form has become a registration already."""
    stored = ("id", "version", "status", "profile_digest", "key", "deadline", "created_at", "form")
    return await rows.insert_or_ignore(
        tx,
        registrations,
        **{name: getattr(registration, name) for name in stored},
        **_requester(registration.requester),
        changed=_next_change(),
        origin=origin,
        wish_digest=wish_digest,
        reasons=[],
        deleted=[],
    )


_GET = (
    sa.select(registrations, previous_requesters)
    .outerjoin(previous_requesters, previous_requesters.c.registration == registrations.c.id)
    .where(registrations.c.id == THIS)
    .order_by(previous_requesters.c.position)
)


async def get(tx: AsyncConnection, id: str) -> Registration | None:
    """Return the registration with its requests, steps, facts, open run and secrets."""
    found = (await tx.execute(_GET, {"this": id})).mappings().all()
    if not found:
        return None
    progress = await runs.progress(tx, id)
    newest, others = await secrets.announced(tx, id)
    row = part_of(found[0], registrations)
    row |= {"name": row["requester_name"], "check": row["last_check"]}
    if revoked := row["revocation"]:
        row["revocation"] = {"by": revoked, "at": revoked["at"]}
    former = [part_of(row, previous_requesters) for row in found]
    return from_row(
        Registration,
        row,
        requester=person_of(row),
        previous_requesters=tuple(person_of(row) for row in former if row["position"] is not None),
        requests=await _requests(tx, id),
        secret=newest,
        other_secrets=others,
        **progress._asdict(),
    )


_REQUESTS = (
    sa.select(requests_table, votes)
    .outerjoin(votes, votes.c.request == requests_table.c.id)
    .where(requests_table.c.registration == THIS)
    .order_by(requests_table.c.asked_at, requests_table.c.id, votes.c.at)
)


async def _requests(tx: AsyncConnection, registration: str) -> tuple[ApprovalRequest, ...]:
    """Return every request to approvers, the latest last, with every vote."""
    found = (await tx.execute(_REQUESTS, {"this": registration})).mappings()
    return tuple(_request(list(group)) for _, group in groupby(found, lambda row: row["id"]))


def _request(found: list[Row]) -> ApprovalRequest:
    """Return a request of which each row holds another vote, if there is any."""
    given = [part_of(row, votes) for row in found if row[votes.c.request] is not None]
    cast = tuple(from_row(Vote, each, person=person_of(each)) for each in given)
    return from_row(ApprovalRequest, part_of(found[0], requests_table), votes=cast)


async def requester_of(tx: AsyncConnection, id: str) -> str:
    """Return the requester's Slack user id."""
    query = sa.select(registrations.c.user_id).where(registrations.c.id == id)
    return str((await tx.execute(query)).scalar_one())


def _next_change() -> sa.ColumnElement[int]:
    """Return a number above all others. Two at the same moment may get the same one."""
    other = registrations.alias()
    latest = sa.select(other.c.changed).order_by(other.c.changed.desc()).limit(1)
    return sa.func.coalesce(latest.scalar_subquery(), 0) + 1


def _tries() -> sa.ColumnElement[int]:
    """Return how often a message was tried: one that was given up starts from zero."""
    return sa.case((messages.c.tries >= ENDED, 0), else_=messages.c.tries)


_BUMP = (
    sa.update(registrations)
    .where(registrations.c.id == THIS)
    .values(version=registrations.c.version + 1, changed=_next_change())
)
_REDRAW = (
    sa.update(messages)
    .where(messages.c.registration == THIS)
    .where(messages.c.kind.not_in(SAID_ONCE), messages.c.gone.is_(False))
    .values(wanted=messages.c.wanted + 1, tries=_tries())
)
_REDRAW_NOW = _REDRAW.values(shown_at=sa.null())


async def bump_version(tx: AsyncConnection, id: str, *, redraw_now: bool = True) -> bool:
    """Raise the registration's version: locks its row and makes its cards stale.

    Without `redraw_now` cards may wait, because more changes follow at once.
    """
    is_there = (await tx.execute(_BUMP, {"this": id})).rowcount
    await tx.execute(_REDRAW_NOW if redraw_now else _REDRAW, {"this": id})
    return is_there == 1


async def locked(tx: AsyncConnection, id: str) -> Registration | None:
    """Lock the registration for the rest of the transaction and return it."""
    if not await bump_version(tx, id):
        return None
    return await get(tx, id)


async def move(
    tx: AsyncConnection, /, id: str, target: Status, *, moves: Moves = MOVES, **columns: Any
) -> bool:
    """Move to `target` if the present state allows it, and set `columns` with it. Requests that
    cannot wait there are superseded.
    """
    since = registrations.c.status.in_(sorted(origins(target, moves)))
    values = {"status": target, **columns}
    if not await rows.update(tx, registrations, registrations.c.id == id, since, **values):
        return False
    await _supersede(tx, id, target)
    return True


async def drop_timers(tx: AsyncConnection, registration: str) -> None:
    """Delete the timers of requests that no longer wait, and let their reminders say so."""
    of = requests_table.c.registration == registration
    waiting = sa.select(requests_table.c.id).where(of, IS_WAITING)
    await rows.delete(
        tx,
        timers_table,
        timers_table.c.registration == registration,
        timers_table.c.kind.in_((TimerKind.EXPIRE, TimerKind.REMIND)),
        timers_table.c.subject.not_in(waiting),
    )
    await end_reminders(tx, registration, waiting)


async def _supersede(tx: AsyncConnection, registration: str, status: Status) -> None:
    """Supersede requests that cannot wait in a state that the registration has moved to."""
    stay = [kind for kind, states in WAITS_IN.items() if status in states]
    is_out_of_place = sa.and_(IS_WAITING, requests_table.c.kind.not_in(stay))
    of = requests_table.c.registration == registration
    if await rows.update(tx, requests_table, of, is_out_of_place, state=RequestState.SUPERSEDED):
        await drop_timers(tx, registration)


async def unsettled(tx: AsyncConnection) -> Sequence[str]:
    """Return registrations that may have changed since a copy was made: all that have not ended,
    have an open run, or wait for approvers, as a purge does.
    """
    is_busy = sa.exists().where(
        runs_table.c.registration == registrations.c.id, runs_table.c.ended_at.is_(None)
    )
    is_asked = sa.exists().where(requests_table.c.registration == registrations.c.id, IS_WAITING)
    is_open = registrations.c.status.in_(TAKEN)
    query = sa.select(registrations.c.id).where(sa.or_(is_open, is_busy, is_asked))
    return (await tx.scalars(query.order_by(registrations.c.created_at))).all()


async def versions(tx: AsyncConnection, ids: Collection[str]) -> Mapping[str, int]:
    """Return the versions of those of these that there are."""
    columns = registrations.c.id, registrations.c.version
    found = await tx.execute(sa.select(*columns).where(registrations.c.id.in_(ids)))
    return {row.id: row.version for row in found}


async def update(tx: AsyncConnection, /, id: str, **columns: Any) -> None:
    """Set columns that are no move."""
    await rows.update(tx, registrations, registrations.c.id == id, **columns)


async def set_outage(tx: AsyncConnection, outage: Failure | None) -> None:
    """Say why registrations that go on do not, or that they do: they can have no other failure."""
    goes_on = registrations.c.status.in_((Status.PLANNING, Status.APPROVED))
    failure = registrations.c.failure
    is_news = failure.is_(None) if outage else failure.is_not(None)
    for id in (await tx.scalars(sa.select(registrations.c.id).where(goes_on, is_news))).all():
        await bump_version(tx, id)  # locks it: it may just have failed
        await rows.update(tx, registrations, registrations.c.id == id, goes_on, failure=outage)


async def change_requester(
    tx: AsyncConnection, registration: Registration, new_requester: Person
) -> None:
    """Let another person be the requester, and remember the one before."""
    place = {"registration": registration.id, "position": len(registration.previous_requesters)}
    await insert(tx, previous_requesters, **place, **plain(registration.requester))
    await update(tx, registration.id, **_requester(new_requester))


def _requester(person: Person) -> dict[str, str]:
    return {"team_id": person.team_id, "user_id": person.user_id, "requester_name": person.name}


async def set_revocation(tx: AsyncConnection, id: str, *, by: Person, now: datetime) -> None:
    """Note who revokes it."""
    await update(tx, id, revocation=plain(by) | {"at": now.isoformat()})


async def add_deleted(tx: AsyncConnection, id: str, deleted: Deleted) -> None:
    """Remember a deleted object. The registration's row must be locked by this transaction."""
    before = await rows.scalar(tx, registrations.c.deleted, registrations.c.id == id) or ()
    others = [it for it in before if it["object_id"] != deleted.object_id]
    await update(tx, id, deleted=[*others, deleted])


async def count_open(tx: AsyncConnection, person: Person) -> int:
    """Count the person's open registrations."""
    is_open = registrations.c.status.in_(OPEN)
    return await rows.count(tx, registrations, is_person(registrations, person), is_open)


async def find_duplicate(tx: AsyncConnection, wish_digest: str) -> str | None:
    """Return the id of a registration for an equal wish that is open or has an application."""
    is_taken = registrations.c.status.in_(TAKEN)
    is_equal = registrations.c.wish_digest == wish_digest
    return await rows.scalar(tx, registrations.c.id, is_equal, is_taken)
