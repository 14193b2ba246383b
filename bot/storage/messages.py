"""Messages: what the bot owes somebody in Slack.

A message is stale while `shown < wanted`. Whoever draws it claims it first, so that two processes
do not post it twice; a claim lapses, so that a crash does not silence it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Status
from bot.storage.rows import Unreadable, from_row, insert_and_expire, read_each
from bot.storage.tables import messages, registrations, seen_events

CLAIM = timedelta(seconds=15)
"""Longer than Slack may take to answer, and as short as a crash should silence a message."""

ENDED = 1000
"""As many tries as nobody makes: this message is tried no more until its registration changes."""

ON_THE_WAY = (Status.PLANNING, Status.PENDING, Status.APPROVED, Status.REVOKING)
"""All other states are final: people wait for them, and nothing follows at once."""


class MessageKind(StrEnum):
    """What is owed."""

    CARD = "card"  # in the approval channel
    PROGRESS = "progress"  # in the requester's direct messages
    VALUES = "values"  # in the requester's direct messages, when they are ready
    MASK = "mask"  # over the secret, by the reveal's own response_url
    NEWS = "news"  # in the requester's direct messages: a change nobody is told of by a redrawing
    REMINDER = "reminder"  # in the approval channel: it still waits
    LEFT = "left"  # in the approval channel: the requester's account is deactivated or gone
    ALARM = "alarm"  # in the approval channel: a check has found what may be an attack
    DRIFT = "drift"  # in the direct messages of whoever is to know what a check has found
    REQUEST = "request"  # in the approval channel: anything but a plan is asked for
    REQUEST_NEWS = "request news"  # in the requester's direct messages: what became of that
    RETIRED = "retired"  # in the requester's direct messages: the previous secret is removed
    EXPIRY = "expiry"  # in the approval channel: the secret in use is about to expire, or has
    REVOCATION = "revocation"  # in the approval channel: somebody has revoked it
    EXPIRY_NEWS = "expiry news"  # in the requester's direct messages: the same
    UNSEEN = "unseen"  # in the requester's direct messages: a secret waits to be picked up
    UNREAD = "unread"  # in the approval channel: nobody picked it up, so it was deleted
    UNREAD_NEWS = "unread news"  # in the requester's direct messages: the same
    RESTORED = "restored"  # in the requester's direct messages: the database is an older copy


SAID_ONCE = (
    MessageKind.MASK,
    MessageKind.NEWS,
    MessageKind.ALARM,
    MessageKind.DRIFT,
    MessageKind.REMINDER,
    MessageKind.LEFT,
    MessageKind.REQUEST_NEWS,
    MessageKind.RETIRED,
    MessageKind.EXPIRY,
    MessageKind.REVOCATION,
    MessageKind.EXPIRY_NEWS,
    MessageKind.UNSEEN,
    MessageKind.UNREAD,
    MessageKind.UNREAD_NEWS,
    MessageKind.RESTORED,
)
"""These tell of one moment: no later version of their registration redraws them."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One of them."""

    id: str
    registration: str
    kind: MessageKind
    audience: str
    subject: str | None
    wanted: int
    shown: int
    channel: str | None
    ts: str | None
    shown_at: datetime | None
    tries: int


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A message to be shown, the state it will show, and whether that is a final one."""

    message: Message
    status: Status
    is_final: bool


async def add(
    tx: AsyncConnection,
    registration: str,
    kind: MessageKind,
    audience: str,
    *,
    subject: str | None = None,
) -> None:
    """Add a message to `audience`, a channel's or a person's id; `subject` is what it is about."""
    await tx.execute(
        sa.insert(messages).values(
            id=uuid4().hex,
            registration=registration,
            kind=kind,
            audience=audience,
            subject=subject,
            wanted=1,
            shown=0,
            tries=0,
            gone=False,
        )
    )


async def owe_news(
    tx: AsyncConnection,
    registration: str,
    audience: str,
    kind: MessageKind = MessageKind.NEWS,
    subject: str | None = None,
) -> None:
    """Tell somebody how the registration, or a request, stands now: Slack notifies nobody of a card
    redrawn. News that is not posted yet will say it.
    """
    waiting = (
        sa.update(messages)
        .where(
            messages.c.registration == registration,
            messages.c.kind == kind,
            messages.c.audience == audience,
            messages.c.subject.is_not_distinct_from(subject),
            messages.c.ts.is_(None),
            messages.c.shown < messages.c.wanted,
            messages.c.tries < ENDED,
        )
        # Under way, it may say what was so a moment ago: then it is redrawn.
        .values(wanted=messages.c.wanted + 1)
    )
    if (await tx.execute(waiting)).rowcount == 0:
        await add(tx, registration, kind, audience, subject=subject)


async def exists(
    tx: AsyncConnection, registration: str, kind: MessageKind, subject: str | None
) -> bool:
    """Whether there has ever been such a message."""
    query = sa.select(messages.c.id).where(
        messages.c.registration == registration,
        messages.c.kind == kind,
        messages.c.subject == subject,
    )
    return (await tx.scalars(query.limit(1))).first() is not None


async def stale(
    tx: AsyncConnection,
    now: datetime,
    *,
    drawn_before: datetime,
    limit: int,
    unreadable: Unreadable | None = None,
) -> Sequence[Stale]:
    """Return stale messages that nobody has claimed and that were not drawn a moment ago.

    Whatever cannot wait has reset the moment at which its messages were drawn. If there are more
    than the limit, masks, posts, final states and what was drawn longest ago are among those found.
    """
    is_final = registrations.c.status.not_in(ON_THE_WAY)
    order = sa.case(
        (messages.c.kind == MessageKind.MASK, 0),
        (messages.c.ts.is_(None), 1),
        (is_final, 2),
        else_=3,
    )
    query = (
        sa.select(messages, registrations.c.status, is_final.label("is_final"))
        .join(registrations, registrations.c.id == messages.c.registration)
        .where(
            messages.c.shown < messages.c.wanted,
            messages.c.tries < ENDED,
            sa.or_(messages.c.shown_at.is_(None), messages.c.shown_at <= drawn_before),
            sa.or_(messages.c.claimed_until.is_(None), messages.c.claimed_until <= now),
        )
        .order_by(order, messages.c.shown_at.nulls_first())
        .limit(limit)
    )
    return await read_each(tx, query, _stale, id=messages.c.id, unreadable=unreadable)


async def postpone(tx: AsyncConnection, ids: Collection[str], until: datetime) -> None:
    """Let nobody claim these until then."""
    query = sa.update(messages).where(messages.c.id.in_(ids))
    await tx.execute(query.values(claimed_until=until))


async def claim(tx: AsyncConnection, found: Sequence[Message], now: datetime) -> Sequence[Message]:
    """Claim messages for a while. Return them as they are now, without those claimed by others."""
    free = (
        sa.select(messages.c.id)
        .where(
            messages.c.id.in_([message.id for message in found]),
            sa.or_(messages.c.claimed_until.is_(None), messages.c.claimed_until <= now),
        )
        .with_for_update(skip_locked=True)  # nobody waits here, so nobody can wait in a circle
    )
    query = (
        sa.update(messages)
        .where(messages.c.id.in_(free.scalar_subquery()))
        # Drawn from now on: whatever cannot wait and comes while it is drawn resets this again.
        .values(claimed_until=now + CLAIM, shown_at=now, tries=messages.c.tries + 1)
        .returning(messages)
    )
    return [_message(row) for row in (await tx.execute(query)).mappings()]


async def posted(tx: AsyncConnection, message: Message, *, channel: str, ts: str) -> bool:
    """Note where the message is, and that it shows what was wanted when it was claimed.

    Return whether more is wanted by now.
    """
    query = (
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(
            shown=message.wanted, channel=channel, ts=ts, claimed_until=None, tries=0, trouble=None
        )
        .returning(messages.c.wanted)
    )
    wanted: int = (await tx.execute(query)).scalar_one()
    return wanted > message.wanted


async def place(tx: AsyncConnection, id: str) -> tuple[str | None, str | None] | None:
    """Return channel and ts of the message, which are not known before Slack has said so."""
    query = sa.select(messages.c.channel, messages.c.ts).where(messages.c.id == id)
    row = (await tx.execute(query)).first()
    return None if row is None else (row.channel, row.ts)


async def locate(tx: AsyncConnection, id: str, *, channel: str, ts: str) -> bool:
    """Note where the message is, unless that is known. Return False if it cannot be there."""
    is_direct = messages.c.audience.like("U%") | messages.c.audience.like("W%")
    fits = is_direct if channel.startswith("D") else messages.c.audience == channel
    done = await tx.execute(
        sa.update(messages)
        .where(messages.c.id == id, messages.c.ts.is_(None), fits)
        .values(channel=channel, ts=ts)
    )
    return done.rowcount == 1


async def release(
    tx: AsyncConnection, message: Message, *, until: datetime, trouble: str | None = None
) -> None:
    """Leave the message alone until then. `trouble` is why it could not be shown."""
    await tx.execute(
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(claimed_until=until, shown_at=None, trouble=trouble)
    )


async def end(tx: AsyncConnection, message: Message, *, trouble: str) -> None:
    """Try the message no more until its registration changes. It stays owed, for App Homes to show
    why.
    """
    await tx.execute(
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(claimed_until=None, tries=ENDED, trouble=trouble)
    )


async def unclaim(tx: AsyncConnection, message: Message, *, trouble: str | None = None) -> None:
    """Let anybody claim the message again, as if it had not been tried: it was not its fault.

    `trouble` is Slack's word for why nothing can be shown there until somebody changes it.
    """
    await tx.execute(
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(claimed_until=None, shown_at=None, tries=messages.c.tries - 1, trouble=trouble)
    )


async def give_up(tx: AsyncConnection, message: Message, *, gone: bool = False) -> None:
    """Owe the message no longer: it cannot be shown any more, and if it is gone, never again."""
    await tx.execute(
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(shown=messages.c.wanted, claimed_until=None, gone=gone)
    )


async def is_first_delivery(tx: AsyncConnection, event_id: str, now: datetime) -> bool:
    """Whether an event comes for the first time in ten minutes, longer than Slack repeats one."""
    return await insert_and_expire(
        tx, seen_events, event_id, at=now, oldest=now - timedelta(minutes=10)
    )


def _stale(row: Mapping[Any, Any]) -> Stale:
    return Stale(
        message=_message(row), status=Status(row["status"]), is_final=bool(row["is_final"])
    )


def _message(row: Mapping[Any, Any]) -> Message:
    return from_row(Message, row, kind=MessageKind(row["kind"]))
