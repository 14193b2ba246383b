"""The queue of stale messages: which is shown first, and who shows it.

A process claims a message before it draws it, so that two processes do not post it twice; a claim
lapses, so that a crash does not silence it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Status
from bot.storage.messages import ENDED, Message, MessageKind, message_of
from bot.storage.rows import Unreadable, from_row, read_each, update
from bot.storage.tables import messages, registrations

CLAIM = timedelta(seconds=15)
"""Longer than Slack may take to answer, and as short as a crash should silence a message."""

PATIENCE = timedelta(minutes=5)
"""A message that has waited so long waits behind none that came later, whatever it is."""

ON_THE_WAY = (Status.PLANNING, Status.PENDING, Status.APPROVED, Status.REVOKING)
"""All other states are final: people wait for them, and nothing follows at once."""


class Urgency(IntEnum):
    """The smaller number comes first."""

    MASK = 0  # a secret stands on a screen
    FINAL = 1  # the final state, or a message that a user waits for
    TOUCHED = 2  # a user has just acted
    PROGRESS = 3  # one step more


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A message to be shown, and the state that it will show."""

    message: Message
    status: Status
    urgency: Urgency


async def stale(
    tx: AsyncConnection,
    now: datetime,
    *,
    drawn_before: datetime,
    limit: int,
    unreadable: Unreadable | None = None,
) -> Sequence[Stale]:
    """Return stale messages in the order in which they are to be shown, most urgent first, without
    those that are claimed or were drawn a moment ago.

    Of equal urgency, the one that has waited longest comes first. A change that cannot wait has
    reset `shown_at` of its messages.
    """
    return await read_each(
        tx,
        _STALE,
        _stale,
        id=messages.c.id,
        unreadable=unreadable,
        now=now,
        drawn_before=drawn_before,
        came_before=now - PATIENCE,
        limit=limit,
    )


_IS_FREE = messages.c.claimed_until.is_(None) | (messages.c.claimed_until <= sa.bindparam("now"))
_MAY_BE_SHOWN = sa.and_(
    messages.c.shown < messages.c.wanted,
    messages.c.tries < ENDED,
    messages.c.shown_at.is_(None) | (messages.c.shown_at <= sa.bindparam("drawn_before")),
    _IS_FREE,
)
_IS_OUT_OF_PATIENCE = messages.c.waiting_since <= sa.bindparam("came_before")


_SHOWS_ANOTHER = messages.c.shows.is_distinct_from(registrations.c.status)
_IS_NEWS = registrations.c.status.not_in(ON_THE_WAY) & _SHOWS_ANOTHER
_IS_AWAITED = messages.c.ts.is_(None) & (messages.c.kind != MessageKind.PROGRESS)
_URGENCY = sa.case(
    (messages.c.kind == MessageKind.MASK, Urgency.MASK),
    (sa.or_(_IS_NEWS, _IS_AWAITED, _IS_OUT_OF_PATIENCE), Urgency.FINAL),
    (messages.c.shown_at.is_(None), Urgency.TOUCHED),
    else_=Urgency.PROGRESS,
)
_STALE = (
    sa.select(messages, registrations.c.status, _URGENCY.label("urgency"))
    .join(registrations, registrations.c.id == messages.c.registration)
    .where(_MAY_BE_SHOWN)
    .order_by(
        _URGENCY,
        # Of final states, cards come first: requesters get a message of their own, too.
        sa.case(
            (_IS_OUT_OF_PATIENCE, 0),
            ((messages.c.kind == MessageKind.PROGRESS) & messages.c.ts.is_not(None), 1),
            else_=0,
        ),
        messages.c.waiting_since.nulls_last(),
        messages.c.shown_at.nulls_first(),
    )
    .limit(sa.bindparam("limit"))
)


async def postpone(tx: AsyncConnection, ids: Collection[str], until: datetime) -> None:
    """Do not let these be claimed until then."""
    await update(tx, messages, messages.c.id.in_(ids), claimed_until=until)


async def note_waiting(tx: AsyncConnection, now: datetime, *, drawn_before: datetime) -> None:
    """Note since when stale messages have waited, where that is not known yet."""
    await tx.execute(_NOTE_WAITING, {"now": now, "drawn_before": drawn_before})


async def claim(tx: AsyncConnection, found: Sequence[Message], now: datetime) -> Sequence[Message]:
    """Claim messages for a while. Return them as they are now, without those claimed by others."""
    free = messages.c.id.in_([message.id for message in found]) & _IS_FREE
    query = (
        sa.update(messages)
        .where(messages.c.id.in_(_unlocked(free)))
        # Drawn from now on: a change that cannot wait and comes meanwhile resets this again.
        .values(claimed_until=now + CLAIM, shown_at=now, tries=messages.c.tries + 1)
        .returning(messages)
    )
    return [message_of(row) for row in (await tx.execute(query, {"now": now})).mappings()]


def _unlocked(condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[str]:
    """Return ids of messages that no other transaction is changing: without a wait, no deadlock."""
    query = sa.select(messages.c.id).where(condition)
    return query.with_for_update(skip_locked=True).scalar_subquery()


_NOTE_WAITING = (
    sa.update(messages)
    .where(messages.c.id.in_(_unlocked(messages.c.waiting_since.is_(None) & _MAY_BE_SHOWN)))
    .values(waiting_since=sa.bindparam("now"))
)


def _stale(row: Mapping[Any, Any]) -> Stale:
    return from_row(Stale, row, message=message_of(row))
