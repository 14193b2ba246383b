"""Lists of registrations, a page at a time, as their reader may see them; health of the bot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import RequestKind
from bot.domain.people import Person
from bot.domain.registration import RunOutcome, Status
from bot.domain.runs import RunKind
from bot.storage.registrations import IS_WAITING, OPEN
from bot.storage.rows import count, from_row, is_person, person_of, read_each
from bot.storage.secrets import IN_USE
from bot.storage.tables import (
    approval_requests,
    messages,
    previous_requesters,
    registrations,
    runs,
    secrets,
    votes,
)
from bot.worker.loops import report_bug

REACH = 1000
"""How many registrations a list of all, or of all that are ready, reaches: the newest. Without it
each look would take longer than the one before."""
LONG_AGO = timedelta(days=365)
"""How long after its end a secret without a successor is listed."""
SOON = timedelta(days=30)
"""How long before its end a secret counts as about to expire."""


MOST_UNSHOWN = 5
"""How many audiences without delivery are listed."""


class ListKind(StrEnum):
    """Which registrations a list holds."""

    ALL = "all"
    OPEN = "open"  # those that are on their way
    MINE = "mine"  # all that the reader has asked for
    WAITING = "waiting"  # for approvers
    READY = "ready"
    FAILED = "failed"
    EXPIRING = "expiring"  # whose secret ends soon, or has


ON_THEIR_WAY = (*OPEN, Status.REVOKING)


@dataclass(frozen=True, kw_only=True)
class ListLine:
    """A registration as one line of a list."""

    id: str
    status: Status
    run: RunKind | None
    requester: Person
    name: str
    created_at: datetime
    expires_at: datetime | None  # of its newest working secret
    waits: RequestKind | None = None  # for approvers, beside a plan; a rotation rather than others
    has_expired: bool = False  # whether that secret no longer works


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """Some lines of a list, and how long the whole list is."""

    lines: Sequence[ListLine]
    total: int
    offset: int = 0
    """How many lines come before these."""

    @property
    def left(self) -> int:
        """How many lines come after these."""
        return max(0, self.total - self.offset - len(self.lines))


MARKED = 50
"""How many registrations make a mark. Replicas that commit at once may do so out of order: as long
as fewer do, each change is among those that changed last."""


@dataclass(frozen=True, kw_only=True)
class Unshown:
    """Where messages wait that Slack does not take, and its word for why."""

    audience: str  # a channel, or a person
    code: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the bot stands, as far as storage knows."""

    open_runs: int
    owed_messages: int
    sealed_secrets: int
    last_run_at: datetime | None  # when a run last came back from the tenant
    last_run_failed: str | None  # its code, if it failed
    unshown: Sequence[Unshown] = ()


class Mark(NamedTuple):
    """The state of storage that App Homes show: they change only with it."""

    versions: tuple[tuple[str, int], ...]  # of the registrations that changed last
    unshown: tuple[Unshown, ...]


async def find(
    tx: AsyncConnection,
    which: ListKind,
    *,
    reader: Person,
    now: datetime,
    limit: int,
    offset: int = 0,
    only_of: Person | None = None,
    undecided_by: Person | None = None,
) -> ListPage:
    """Return a page of a list: the first to wait or end comes first, else the newest.

    `only_of` keeps to one requester. `undecided_by` leaves out what this person may not decide on
    any more: their own registrations, present or previous, and requests that they have made or
    voted on.
    """
    found = sa.select(registrations.c.id).where(_is(which, reader, now, undecided_by))
    if only_of is not None:
        found = found.where(is_person(registrations, only_of))
    if undecided_by is not None:
        is_theirs = sa.or_(is_person(registrations, undecided_by), _once_asked_by(undecided_by))
        found = found.where(sa.not_(is_theirs))
    total = await count(tx, found.subquery())
    order = {
        ListKind.WAITING: registrations.c.created_at.asc(),
        ListKind.EXPIRING: _expires_at().asc(),
    }.get(which, registrations.c.created_at.desc())
    place = sa.func.row_number().over(order_by=(order, registrations.c.id)).label("place")
    page = found.add_columns(place).order_by(place).limit(limit).offset(offset).subquery()
    query = (
        sa.select(
            registrations,
            runs.c.kind.label("run"),
            _expires_at().label("expires_at"),
            _waits().label("waits"),
        )
        .join(page, page.c.id == registrations.c.id)
        .outerjoin(
            runs, sa.and_(runs.c.registration == registrations.c.id, runs.c.ended_at.is_(None))
        )
        .order_by(page.c.place)
    )
    listed = partial(_listed, now=now)
    lines = await read_each(tx, query, listed, id=registrations.c.id, unreadable=report_bug)
    return ListPage(lines=lines, total=total, offset=offset)


async def mark(tx: AsyncConnection) -> Mark:
    """Return a value that changes with any registration, and with where messages wait."""
    query = (
        sa.select(registrations.c.id, registrations.c.version)
        .order_by(registrations.c.changed.desc())
        .limit(MARKED)
    )
    versions = tuple((row.id, row.version) for row in await tx.execute(query))
    return Mark(versions=versions, unshown=await unshown(tx))


async def health(tx: AsyncConnection) -> Health:
    """Return the health of the bot from storage alone."""
    ended = sa.select(runs.c.ended_at, runs.c.outcome).where(runs.c.ended_at.is_not(None))
    last = (await tx.execute(ended.order_by(runs.c.ended_at.desc()).limit(1))).first()
    return Health(
        open_runs=await count(tx, runs, runs.c.ended_at.is_(None)),
        owed_messages=await count(tx, messages, messages.c.shown < messages.c.wanted),
        sealed_secrets=await count(tx, secrets, secrets.c.sealed.is_not(None)),
        last_run_at=last.ended_at if last else None,
        last_run_failed=last.outcome if last and last.outcome not in set(RunOutcome) else None,
        unshown=await unshown(tx),
    )


async def unshown(tx: AsyncConnection) -> tuple[Unshown, ...]:
    """Return where messages wait that Slack does not take, a few of them."""
    query = (
        sa.select(messages.c.audience, messages.c.trouble)
        .where(messages.c.shown < messages.c.wanted, messages.c.trouble.is_not(None))
        .distinct()
        .order_by(messages.c.audience)
        .limit(MOST_UNSHOWN)
    )
    rows = await tx.execute(query)
    return tuple(Unshown(audience=row.audience, code=row.trouble) for row in rows)


def _is(
    which: ListKind, reader: Person, now: datetime, undecided_by: Person | None
) -> sa.ColumnElement[bool]:
    match which:
        case ListKind.ALL:
            return registrations.c.id.in_(_newest())
        case ListKind.READY:
            return registrations.c.id.in_(_newest(Status.READY))
        case ListKind.OPEN:
            return registrations.c.status.in_(ON_THEIR_WAY)
        case ListKind.MINE:
            return is_person(registrations, reader)
        case ListKind.WAITING:
            return registrations.c.id.in_(_waiting(undecided_by))
        case ListKind.FAILED:
            return registrations.c.status == Status.FAILED
        case ListKind.EXPIRING:
            return sa.and_(
                _is_ready(),
                registrations.c.id.in_(_with_a_secret_that_ends(now - LONG_AGO, now + SOON)),
                _expires_at() <= now + SOON,
            )


def _newest(status: Status | None = None) -> sa.Select[Any]:
    each = registrations.alias("newest")
    newest = sa.select(each.c.id).order_by(each.c.created_at.desc()).limit(REACH)
    return newest if status is None else newest.where(each.c.status == status)


def _once_asked_by(person: Person) -> sa.ColumnElement[bool]:
    each = previous_requesters
    return registrations.c.id.in_(sa.select(each.c.registration).where(is_person(each, person)))


def _waiting(undecided_by: Person | None) -> sa.Select[Any]:
    """Registrations of which a request waits, which this person has neither made nor voted on."""
    each = approval_requests
    query = sa.select(each.c.registration).where(IS_WAITING)
    if undecided_by is None:
        return query
    is_theirs = is_person(votes, undecided_by)
    voted = sa.exists().where(votes.c.request == each.c.id, is_theirs, votes.c.void.is_(None))
    asked_by = each.c.asked_by["user_id"].as_string()
    return query.where(asked_by != undecided_by.user_id, sa.not_(voted))


def _waits() -> sa.ColumnElement[str]:
    """Return the kind of request that waits beside a plan; of several, a rotation."""
    each = approval_requests
    query = (
        sa.select(each.c.kind)
        .where(
            IS_WAITING, each.c.registration == registrations.c.id, each.c.kind != RequestKind.PLAN
        )
        .order_by((each.c.kind == RequestKind.ROTATION).desc(), each.c.asked_at.desc())
        .limit(1)
    )
    return query.correlate(registrations).scalar_subquery()


def _is_ready() -> sa.ColumnElement[bool]:
    """Compare without the index by status: most registrations are ready, and few are looked for."""
    return sa.func.coalesce(registrations.c.status, "") == Status.READY


def _expires_at() -> sa.ColumnElement[datetime]:
    """When the registration's newest secret that was handed over and still works ends."""
    return (
        sa.select(sa.func.max(secrets.c.expires_at))
        .join(runs, runs.c.id == secrets.c.run)
        .where(
            secrets.c.registration == registrations.c.id,
            runs.c.outcome == RunOutcome.HANDED_OVER,
            IN_USE,
        )
        .correlate(registrations)
        .scalar_subquery()
    )


def _with_a_secret_that_ends(after: datetime, until: datetime) -> sa.Select[Any]:
    """Registrations of which an index finds such a secret; a newer one may work longer."""
    return sa.select(secrets.c.registration).where(
        secrets.c.expires_at > after, secrets.c.expires_at <= until
    )


def _listed(row: Mapping[Any, Any], *, now: datetime) -> ListLine:
    is_ready, expires_at = row["status"] == Status.READY, row["expires_at"]
    return from_row(
        ListLine,
        row,
        requester=person_of({**row, "name": row["requester_name"]}),
        name=row["form"]["name"],
        has_expired=is_ready and expires_at is not None and expires_at <= now,
    )
