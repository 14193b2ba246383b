"""Timers: what must happen at a time. Rows that the scheduler compares with the clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import NO_SUBJECT, Kind, Subject, Topic
from bot.domain.lifetimes import FIRST_REMINDER, REMINDERS
from bot.storage import rows
from bot.storage.database import Database
from bot.storage.rows import THIS, Unreadable, from_row, insert, read_each, update
from bot.storage.tables import timers
from bot.worker.loops import report_bug

UNREADABLE = timedelta(hours=1)
"""How long a row that cannot be read is left alone: only a person can mend it."""


class TimerKind(Kind):
    """What must happen."""

    EXPIRE = "expire", Topic.REQUEST  # no approver decided in time
    REMIND = "remind", Topic.REQUEST  # approvers have not decided yet
    MASK = "mask", Topic.SECRET  # the secret has been on the screen long enough
    UNKNOWN = "unknown", Topic.SECRET  # a claimed secret was never confirmed as shown
    REMOVE_UNREAD = "unread", Topic.SECRET  # the requester did not pick the secret up
    REMIND_UNREAD = "unseen", Topic.SECRET  # remind the requester to pick it up
    REMOVE_STRAY = "sweep"  # look for secrets that lost answers left behind
    UNDO = "undo"  # a failed registration that was not retried
    REVOKE = "revoke"  # one that is being revoked, and that Entra has not let go
    CHECK = "check", Topic.USER  # compare the tenant with the plan, and tell this user
    REMOVE_PREVIOUS = "retire", Topic.SECRET  # the newer one has worked long enough
    CONSENT = "consent"  # look whether an administrator has consented
    REMIND_CONSENT = "remind consent"
    TELL_EXPIRY = "expiring", Topic.EXPIRY  # the secret in use is about to expire, or has


@dataclass(frozen=True, kw_only=True)
class Timer:
    """A timer, as its row says."""

    id: str
    registration: str
    kind: TimerKind
    subject: Subject
    at: datetime


async def add(
    tx: AsyncConnection,
    registration: str,
    kind: TimerKind,
    at: datetime,
    subject: Subject = NO_SUBJECT,
) -> None:
    of = {"registration": registration, "kind": kind, "subject": subject.checked(kind.topic).text}
    await insert(tx, timers, id=uuid4().hex, at=at, **of)


async def add_next(
    tx: AsyncConnection,
    registration: str,
    kind: TimerKind,
    times: Iterable[datetime],
    now: datetime,
    subject: Subject = NO_SUBJECT,
) -> None:
    """Add a timer for the first of these times that is still to come, if one is."""
    if (at := next((it for it in times if it > now), None)) is not None:
        await add(tx, registration, kind, at, subject)


async def remind_of(
    tx: AsyncConnection, registration: str, request: str, asked_at: datetime, now: datetime
) -> None:
    """Add the next reminder of a request that waits, unless there have been all of them."""
    times = (asked_at + FIRST_REMINDER * (2**count - 1) for count in range(1, REMINDERS + 1))
    await add_next(tx, registration, TimerKind.REMIND, times, now, Subject(request=request))


def _due(kind: sa.ColumnElement[bool]) -> sa.Select[Any]:
    is_due = timers.c.at <= sa.bindparam("now")
    found = sa.select(timers).where(is_due, kind)
    return found.order_by(timers.c.at, timers.c.id).limit(sa.bindparam("limit"))


_CONSENT = _due(timers.c.kind == TimerKind.CONSENT)
_OTHERS = _due(timers.c.kind != TimerKind.CONSENT)


async def find_due(
    tx: AsyncConnection,
    now: datetime,
    *,
    limit: int,
    of_consent: bool = False,
    unreadable: Unreadable | None = None,
) -> Sequence[Timer]:
    """Return the timers that are due, oldest first: those of the consent watch, or all others."""
    query = _CONSENT if of_consent else _OTHERS
    return await read_each(
        tx, query, _timer, id=timers.c.id, unreadable=unreadable, now=now, limit=limit
    )


async def readable(
    database: Database, now: datetime, *, limit: int, of_consent: bool = False
) -> Sequence[Timer]:
    """Return the timers that are due. Rows that cannot be read are reported and put off."""
    unreadable: dict[str, Exception] = {}
    note = unreadable.__setitem__
    due = await database.read(find_due, now, limit=limit, of_consent=of_consent, unreadable=note)
    for id, error in unreadable.items():
        report_bug(f"timer {id}", error)
        await database.write(postpone, id, now + UNREADABLE)
    return due


async def postpone(tx: AsyncConnection, id: str, until: datetime) -> None:
    """Make it due later, so that it does not stand before what can be done now."""
    await update(tx, timers, timers.c.id == id, at=until)


_CLAIM = (
    sa.update(timers)
    .where(timers.c.id == THIS, timers.c.at == sa.bindparam("was"))
    .values(at=sa.bindparam("until"))
)


async def claim(tx: AsyncConnection, timer: Timer, *, until: datetime) -> bool:
    """Put it off until then. False if another process has."""
    values = {"this": timer.id, "was": timer.at, "until": until}
    return (await tx.execute(_CLAIM, values)).rowcount == 1


async def hasten(tx: AsyncConnection, registration: str, kind: TimerKind, latest: datetime) -> None:
    """Make the registration's timers of this kind due then at the latest. A process that has
    claimed one of them, and would put it off, finds it changed.
    """
    found = sa.select(timers.c.id, timers.c.at).where(*_of(registration, kind))
    for row in (await tx.execute(found)).all():
        at = min(row.at, latest) + timedelta(microseconds=1)
        await update(tx, timers, timers.c.id == row.id, at=at)


async def delete(tx: AsyncConnection, id: str) -> bool:
    """Delete the timer. False if another process has."""
    return await rows.delete(tx, timers, timers.c.id == id) == 1


async def subjects(tx: AsyncConnection, registration: str, kind: TimerKind) -> Sequence[Subject]:
    """Return the subjects of the registration's timers of this kind."""
    query = sa.select(timers.c.subject).where(*_of(registration, kind))
    return [Subject.read(kind.topic, text) for text in await tx.scalars(query)]


async def bring_forward(
    tx: AsyncConnection, registration: str, kind: TimerKind, at: datetime
) -> bool:
    """Make timers that are due later due then. False if there are none."""
    return await update(tx, timers, *_of(registration, kind), timers.c.at > at, at=at) > 0


async def cancel_all(tx: AsyncConnection, registration: str, *, but: TimerKind) -> None:
    """Delete the registration's timers of all other kinds."""
    await rows.delete(tx, timers, timers.c.registration == registration, timers.c.kind != but)


async def cancel(
    tx: AsyncConnection, registration: str, kind: TimerKind, subject: Subject = NO_SUBJECT
) -> None:
    """Delete the registration's timers of this kind: all of them, or those of one subject."""
    only = () if subject.text is None else (timers.c.subject == subject.text,)
    await rows.delete(tx, timers, *_of(registration, kind), *only)


def _of(registration: str, kind: TimerKind) -> Sequence[sa.ColumnElement[bool]]:
    return timers.c.registration == registration, timers.c.kind == kind


def _timer(row: Mapping[Any, Any]) -> Timer:
    return from_row(Timer, row, subject=Subject.read(TimerKind(row["kind"]).topic, row["subject"]))
