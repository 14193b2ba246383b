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
from bot.storage.rows import Unreadable, read_each
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
    urgency = _urgency(now)
    # Of final states, cards come first: requesters get a message of their own, too.
    is_second = (messages.c.kind == MessageKind.PROGRESS) & messages.c.ts.is_not(None)
    query = (
        sa.select(messages, registrations.c.status, urgency.label("urgency"))
        .join(registrations, registrations.c.id == messages.c.registration)
        .where(_may_be_shown(now, drawn_before))
        .order_by(
            urgency,
            sa.case((_is_out_of_patience(now), 0), (is_second, 1), else_=0),
            messages.c.waiting_since.nulls_last(),
            messages.c.shown_at.nulls_first(),
        )
        .limit(limit)
    )
    return await read_each(tx, query, _stale, id=messages.c.id, unreadable=unreadable)


def _may_be_shown(now: datetime, drawn_before: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        messages.c.shown < messages.c.wanted,
        messages.c.tries < ENDED,
        sa.or_(messages.c.shown_at.is_(None), messages.c.shown_at <= drawn_before),
        _is_free(now),
    )


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(messages.c.claimed_until.is_(None), messages.c.claimed_until <= now)


def _urgency(now: datetime) -> sa.Case[int]:
    shows = messages.c.shows.is_distinct_from(registrations.c.status)
    is_news = registrations.c.status.not_in(ON_THE_WAY) & shows
    is_awaited = messages.c.ts.is_(None) & (messages.c.kind != MessageKind.PROGRESS)
    return sa.case(
        (messages.c.kind == MessageKind.MASK, Urgency.MASK),
        (sa.or_(is_news, is_awaited, _is_out_of_patience(now)), Urgency.FINAL),
        (messages.c.shown_at.is_(None), Urgency.TOUCHED),
        else_=Urgency.PROGRESS,
    )


def _is_out_of_patience(now: datetime) -> sa.ColumnElement[bool]:
    return messages.c.waiting_since <= now - PATIENCE


async def postpone(tx: AsyncConnection, ids: Collection[str], until: datetime) -> None:
    """Do not let these be claimed until then."""
    query = sa.update(messages).where(messages.c.id.in_(ids))
    await tx.execute(query.values(claimed_until=until))


async def note_waiting(tx: AsyncConnection, now: datetime, *, drawn_before: datetime) -> None:
    """Note since when stale messages have waited, where that is not known yet."""
    new = messages.c.waiting_since.is_(None) & _may_be_shown(now, drawn_before)
    await tx.execute(
        sa.update(messages).where(messages.c.id.in_(_unlocked(new))).values(waiting_since=now)
    )


async def claim(tx: AsyncConnection, found: Sequence[Message], now: datetime) -> Sequence[Message]:
    """Claim messages for a while. Return them as they are now, without those claimed by others."""
    free = messages.c.id.in_([message.id for message in found]) & _is_free(now)
    query = (
        sa.update(messages)
        .where(messages.c.id.in_(_unlocked(free)))
        # Drawn from now on: a change that cannot wait and comes meanwhile resets this again.
        .values(claimed_until=now + CLAIM, shown_at=now, tries=messages.c.tries + 1)
        .returning(messages)
    )
    return [message_of(row) for row in (await tx.execute(query)).mappings()]


def _unlocked(condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[str]:
    """Return ids of messages that no other transaction is changing: without a wait, no deadlock."""
    query = sa.select(messages.c.id).where(condition)
    return query.with_for_update(skip_locked=True).scalar_subquery()


def _stale(row: Mapping[Any, Any]) -> Stale:
    urgency = Urgency(row["urgency"])
    return Stale(message=message_of(row), status=Status(row["status"]), urgency=urgency)
