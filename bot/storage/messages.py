"""Messages that the bot must show in Slack. A message is stale while `shown < wanted`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import NO_SUBJECT, Kind, Subject, Topic
from bot.domain.people import Person
from bot.domain.registration import Status
from bot.storage.rows import (
    count,
    delete,
    from_row,
    insert,
    insert_and_expire,
    insert_or_ignore,
    is_person,
    scalar,
    update,
)
from bot.storage.tables import messages, plain_readers, registrations, seen_events

CHANNEL = "approval channel"
"""The execution option under which each connection carries its id."""
MASK_FAILED = "mask_failed"
"""The trouble of a mask that Slack has not taken, and that is not tried again."""
ENDED = 1000
"""More tries than are ever made: not tried again until its registration changes."""


class MessageKind(Kind):
    """What a message shows."""

    CARD = "card"
    PROGRESS = "progress"  # the requester's card
    VALUES = "values", Topic.SECRET
    MASK = "mask", Topic.SECRET  # over the secret, by the reveal's own response_url
    NEWS = "news"  # a change: a redrawn card sends no notification
    REMINDER = "reminder", Topic.REQUEST  # it still waits
    LEFT = "left", Topic.MESSAGE  # the requester's account is gone
    ALARM = "alarm", Topic.RUN  # a check found what may be an attack
    DRIFT = "drift", Topic.RUN  # to each person who is to know what a check has found
    REQUEST = "request", Topic.REQUEST  # all requests but plans
    REQUEST_NEWS = "request news", Topic.REQUEST  # how that was decided
    RETIRED = "retired"  # the previous secret is removed
    EXPIRY = "expiry", Topic.EXPIRY  # the secret in use expires
    CONSENT = "consent"  # an administrator has to consent
    REVOCATION = "revocation"  # it was revoked
    EXPIRY_NEWS = "expiry news", Topic.EXPIRY
    UNSEEN = "unseen", Topic.SECRET  # a secret waits to be picked up
    UNREAD = "unread", Topic.SECRET  # it was deleted, unread
    UNREAD_NEWS = "unread news", Topic.SECRET
    RESTORED = "restored"  # the database is an older copy


FOR_APPROVERS = frozenset(
    {MessageKind.CARD, MessageKind.REMINDER, MessageKind.LEFT, MessageKind.ALARM}
    | {MessageKind.REQUEST, MessageKind.EXPIRY, MessageKind.CONSENT, MessageKind.REVOCATION}
    | {MessageKind.UNREAD}
)
"""They go to the approval channel; the others go to the requester."""
REDRAWN = (MessageKind.CARD, MessageKind.PROGRESS, MessageKind.VALUES, MessageKind.REQUEST)
SAID_ONCE = tuple(kind for kind in MessageKind if kind not in REDRAWN)
"""They tell of one moment: no later version of their registration redraws them."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message, as its row says."""

    id: str
    registration: str
    kind: MessageKind
    audience: str
    subject: Subject
    wanted: int
    shown: int
    channel: str | None
    ts: str | None
    shown_at: datetime | None
    tries: int
    waiting_since: datetime | None = None
    """When a look first found it stale. None if that was not noted yet."""
    shows: Status | None = None
    """The state of its registration when it was last drawn."""


async def add(
    tx: AsyncConnection,
    registration: str,
    kind: MessageKind,
    *,
    subject: Subject = NO_SUBJECT,
    to: str | None = None,
) -> None:
    """Add a message, to another user than its kind says if `to` is given."""
    audience = to or _audience(tx, registration, kind)
    state = {"wanted": 1, "shown": 0, "tries": 0, "gone": False}
    of = {"registration": registration, "kind": kind, "subject": subject.checked(kind.topic).text}
    await insert(tx, messages, id=uuid4().hex, audience=audience, **of, **state)


async def add_news(
    tx: AsyncConnection,
    registration: str,
    kind: MessageKind = MessageKind.NEWS,
    subject: Subject = NO_SUBJECT,
) -> None:
    """Tell the requester how the registration, or a request, stands now: of a card that is redrawn
    Slack sends no notification. News that is not posted yet is drawn with it.
    """
    waiting = (
        *_of(registration, kind),
        messages.c.audience == _audience(tx, registration, kind),
        messages.c.subject.is_not_distinct_from(subject.text),
        messages.c.ts.is_(None),
        messages.c.shown < messages.c.wanted,
        messages.c.tries < ENDED,
    )
    # One that is under way may show an older state: then it is redrawn.
    if not await update(tx, messages, *waiting, wanted=messages.c.wanted + 1):
        await add(tx, registration, kind, subject=subject)


def _audience(
    tx: AsyncConnection, registration: str, kind: MessageKind
) -> str | sa.ScalarSelect[str]:
    if kind in FOR_APPROVERS:
        return channel_of(tx)
    query = sa.select(registrations.c.user_id).where(registrations.c.id == registration)
    return query.scalar_subquery()


def channel_of(tx: AsyncConnection) -> str:
    """Return the approval channel that the database was opened with."""
    assert tx.sync_connection is not None
    return str(tx.sync_connection.get_execution_options()[CHANNEL])


async def end_reminders(
    tx: AsyncConnection, registration: str, waiting: sa.Select[tuple[str]]
) -> None:
    """Let the reminders of requests that no longer wait be drawn once more."""
    await redraw_once(tx, registration, MessageKind.REMINDER, messages.c.subject.not_in(waiting))


async def redraw_once(
    tx: AsyncConnection, registration: str, kind: MessageKind, *which: sa.ColumnElement[bool]
) -> None:
    """Let messages that tell of one moment be drawn once more, because that is over."""
    is_first = (messages.c.wanted == 1, messages.c.gone.is_(False))
    is_it = (*_of(registration, kind), *which, *is_first)
    await update(tx, messages, *is_it, wanted=2, shown_at=None)


async def exists(
    tx: AsyncConnection, registration: str, kind: MessageKind, subject: Subject
) -> bool:
    """Whether there has ever been such a message."""
    is_it = messages.c.subject == subject.text
    found = await scalar(tx, messages.c.id, *_of(registration, kind), is_it)
    return found is not None


async def posted(
    tx: AsyncConnection, message: Message, *, channel: str, ts: str, shows: Status
) -> bool:
    """Note where the message is, the state that it shows, and that this is the version wanted when
    it was claimed.

    Return whether a later version is wanted by now.
    """
    query = (
        sa.update(messages)
        .where(messages.c.id == message.id)
        .values(
            shown=message.wanted,
            shows=shows,
            channel=channel,
            ts=ts,
            claimed_until=None,
            waiting_since=None,
            tries=0,
            trouble=None,
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
    is_lost = sa.and_(messages.c.id == id, messages.c.ts.is_(None), fits)
    return await update(tx, messages, is_lost, channel=channel, ts=ts) == 1


async def release(
    tx: AsyncConnection, message: Message, *, until: datetime, trouble: str | None = None
) -> None:
    """Leave the message alone until then. `trouble` is why it could not be shown."""
    again = {"claimed_until": until, "shown_at": None, "waiting_since": None}
    await _note(tx, message, **again, trouble=trouble)


async def end(tx: AsyncConnection, message: Message, *, trouble: str) -> None:
    """Do not try the message again until its registration changes. It stays stale, for App Homes to
    show why.
    """
    ended = {"claimed_until": None, "waiting_since": None, "tries": ENDED}
    await _note(tx, message, **ended, trouble=trouble)


async def unclaim(tx: AsyncConnection, message: Message, *, trouble: str | None = None) -> None:
    """Let the message be claimed again in its old place, as if it had not been tried.

    `trouble` is Slack's word for why nothing can be shown there until a person changes it.
    """
    before = {"claimed_until": None, "shown_at": None, "tries": messages.c.tries - 1}
    await _note(tx, message, **before, trouble=trouble)


async def give_up(tx: AsyncConnection, message: Message, *, gone: bool = False) -> None:
    """Do not show the message: it cannot be shown any more, and if it is gone, never again."""
    done = {"shown": messages.c.wanted, "claimed_until": None, "waiting_since": None}
    await _note(tx, message, **done, gone=gone)


async def note_mask_failed(tx: AsyncConnection, registration: str, secret: str) -> None:
    """Note that Slack did not let us mask this secret."""
    await update(tx, messages, _is_mask(registration, secret), trouble=MASK_FAILED)


def mask_failed(secret: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether Slack did not let us mask the secret of this row."""
    return sa.exists().where(
        _is_mask(secret.c.registration, secret.c.id), messages.c.trouble == MASK_FAILED
    )


def _is_mask(
    registration: str | sa.ColumnElement[str], secret: str | sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    return sa.and_(*_of(registration, MessageKind.MASK), messages.c.subject == secret)


def _of(
    registration: str | sa.ColumnElement[str], kind: MessageKind
) -> Sequence[sa.ColumnElement[bool]]:
    return messages.c.registration == registration, messages.c.kind == kind


async def _note(tx: AsyncConnection, message: Message, **columns: Any) -> None:
    await update(tx, messages, messages.c.id == message.id, **columns)


async def is_first_delivery(tx: AsyncConnection, event_id: str, now: datetime) -> bool:
    """Whether an event comes for the first time in ten minutes, longer than Slack repeats one."""
    return await insert_and_expire(
        tx, seen_events, event_id, at=now, oldest=now - timedelta(minutes=10)
    )


def message_of(row: Mapping[Any, Any]) -> Message:
    """Return the message of a row."""
    subject = Subject.read(MessageKind(row["kind"]).topic, row["subject"])
    return from_row(Message, row, subject=subject)


async def reads_plainly(tx: AsyncConnection, user_id: str) -> bool:
    """Whether this user has chosen plain cards."""
    return await count(tx, plain_readers, plain_readers.c.user_id == user_id) > 0


async def choose_cards(tx: AsyncConnection, person: Person, *, plain: bool) -> None:
    if plain:
        await insert_or_ignore(tx, plain_readers, team_id=person.team_id, user_id=person.user_id)
    else:
        await delete(tx, plain_readers, is_person(plain_readers, person))
