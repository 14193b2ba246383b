"""Dues: what must happen at a time. Rows, compared with our clock by the keeper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.lifetimes import FIRST_REMINDER, REMINDERS
from bot.storage.rows import Unreadable, from_row, read_each
from bot.storage.tables import timers


class TimerKind(StrEnum):
    """What must happen."""

    EXPIRE = "expire"  # nobody decided in time
    REMIND = "remind"  # approvers have let it lie
    MASK = "mask"  # the secret has been on the screen long enough
    UNKNOWN = "unknown"  # a claimed secret was never confirmed as shown
    REMOVE_UNREAD = "unread"  # nobody came for the secret
    REMIND_UNREAD = "unseen"  # remind the requester of a secret that waits to be picked up
    REMOVE_STRAY = "sweep"  # look for secrets that lost answers left behind
    UNDO = "undo"  # a failed registration that nobody retried
    REVOKE = "revoke"  # one that is being revoked, and that Entra has not let go
    CHECK = "check"  # compare the tenant with the plan
    REMOVE_PREVIOUS = "retire"  # the secret before the newest one has worked long enough
    TELL_EXPIRY = "expiring"  # tell that the secret in use is about to expire, or has


@dataclass(frozen=True, kw_only=True)
class Timer:
    """One of them."""

    id: str
    registration: str
    kind: TimerKind
    subject: str | None
    at: datetime


async def add(
    tx: AsyncConnection,
    registration: str,
    kind: TimerKind,
    at: datetime,
    subject: str | None = None,
) -> None:
    await tx.execute(
        sa.insert(timers).values(
            id=uuid4().hex, registration=registration, kind=kind, subject=subject, at=at
        )
    )


async def remind_of(
    tx: AsyncConnection, registration: str, request: str, asked_at: datetime, now: datetime
) -> None:
    """Let the approvers be reminded next of a request that waits, if that is still to be."""
    waits = (FIRST_REMINDER * (2**count - 1) for count in range(1, REMINDERS + 1))
    at = next((asked_at + each for each in waits if asked_at + each > now), None)
    if at is not None:
        await add(tx, registration, TimerKind.REMIND, at, subject=request)


async def find_due(
    tx: AsyncConnection, now: datetime, *, limit: int, unreadable: Unreadable | None = None
) -> Sequence[Timer]:
    """Return what is due by now, oldest first."""
    query = sa.select(timers).where(timers.c.at <= now).order_by(timers.c.at).limit(limit)
    return await read_each(tx, query, _timer, id=timers.c.id, unreadable=unreadable)


async def postpone(tx: AsyncConnection, id: str, until: datetime) -> None:
    """Let it be due later: what cannot be done now must not stand before what can."""
    await tx.execute(sa.update(timers).where(timers.c.id == id).values(at=until))


async def delete(tx: AsyncConnection, id: str) -> bool:
    """Strike it off. False if another process was faster."""
    return (await tx.execute(sa.delete(timers).where(timers.c.id == id))).rowcount == 1


async def subjects(tx: AsyncConnection, registration: str, kind: TimerKind) -> Sequence[str | None]:
    """Return what is still to happen of this kind is about."""
    query = sa.select(timers.c.subject).where(
        timers.c.registration == registration, timers.c.kind == kind
    )
    return (await tx.scalars(query)).all()


async def bring_forward(
    tx: AsyncConnection, registration: str, kind: TimerKind, at: datetime
) -> bool:
    """Let what is due later happen then. False if there is no such thing."""
    done = await tx.execute(
        sa.update(timers)
        .where(timers.c.registration == registration, timers.c.kind == kind, timers.c.at > at)
        .values(at=at)
    )
    return done.rowcount > 0


async def cancel_all(tx: AsyncConnection, registration: str, *, but: TimerKind) -> None:
    """Strike off everything that no longer has to happen, whatever it is."""
    query = sa.delete(timers).where(timers.c.registration == registration, timers.c.kind != but)
    await tx.execute(query)


async def cancel(
    tx: AsyncConnection, registration: str, kind: TimerKind, subject: str | None = None
) -> None:
    """Strike off what no longer has to happen."""
    query = sa.delete(timers).where(timers.c.registration == registration, timers.c.kind == kind)
    if subject is not None:
        query = query.where(timers.c.subject == subject)
    await tx.execute(query)


def _timer(row: Mapping[Any, Any]) -> Timer:
    return from_row(Timer, row, kind=TimerKind(row["kind"]))
