"""Lists of registrations, a page at a time, for whoever reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import RotationState
from bot.domain.people import Person
from bot.domain.registration import RunOutcome, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import LIVE
from bot.storage.health import Unshown, unshown
from bot.storage.registrations import OPEN
from bot.storage.rows import read_each
from bot.storage.tables import registrations, runs, secrets, timers, votes
from bot.storage.timers import TimerKind
from bot.worker.loops import report_bug

REACH = 1000
"""How many registrations a list of all, or of all that are ready, reaches: the newest. Without it
each look would take longer than the one before."""
LONG_AGO = timedelta(days=365)
"""How long after its end a secret that nobody followed up is listed."""
SOON = timedelta(days=30)
"""How long before its end a secret counts as about to expire."""


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
    asks_rotation: bool = False  # whether a rotation waits for its approvers
    has_expired: bool = False  # whether that secret works no more


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


class Mark(NamedTuple):
    """How far storage is: what Homes show changes only with it."""

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
    """Return a page of a list: what waits or ends first comes first, else the newest.

    `only_of` keeps to one requester. `undecided_by` leaves out what this person may not decide on
    any more: what they are or were the requester of, rotations that they have asked for, and
    whatever they have voted on.
    """
    found = sa.select(registrations.c.id).where(_is(which, reader, now))
    if only_of is not None:
        found = found.where(_asked_by(only_of))
    if undecided_by is not None:
        decided = sa.or_(
            _asked_by(undecided_by),
            _once_asked_by(undecided_by),
            _rotation_asked_by(undecided_by),
            _voted_on(undecided_by),
        )
        found = found.where(sa.not_(decided))
    total = await tx.scalar(sa.select(sa.func.count()).select_from(found.subquery()))
    order = {
        ListKind.WAITING: registrations.c.created_at.asc(),
        ListKind.EXPIRING: _expires_at().asc(),
    }.get(which, registrations.c.created_at.desc())
    place = sa.func.row_number().over(order_by=(order, registrations.c.id)).label("place")
    page = found.add_columns(place).order_by(place).limit(limit).offset(offset).subquery()
    query = (
        sa.select(registrations, runs.c.kind.label("run"), _expires_at().label("expires_at"))
        .join(page, page.c.id == registrations.c.id)
        .outerjoin(
            runs, sa.and_(runs.c.registration == registrations.c.id, runs.c.ended_at.is_(None))
        )
        .order_by(page.c.place)
    )
    listed = partial(_listed, now=now)
    lines = await read_each(tx, query, listed, id=registrations.c.id, unreadable=report_bug)
    return ListPage(lines=lines, total=int(total or 0), offset=offset)


async def mark(tx: AsyncConnection) -> Mark:
    """Return what is another at each change of any registration, or of where messages wait."""
    query = (
        sa.select(registrations.c.id, registrations.c.version)
        .order_by(registrations.c.changed.desc())
        .limit(MARKED)
    )
    versions = tuple((row.id, row.version) for row in await tx.execute(query))
    return Mark(versions=versions, unshown=await unshown(tx))


def _is(which: ListKind, reader: Person, now: datetime) -> sa.ColumnElement[bool]:
    match which:
        case ListKind.ALL:
            return registrations.c.id.in_(_newest())
        case ListKind.READY:
            return registrations.c.id.in_(_newest(Status.READY))
        case ListKind.OPEN:
            return registrations.c.status.in_(ON_THEIR_WAY)
        case ListKind.MINE:
            return _asked_by(reader)
        case ListKind.WAITING:
            return sa.or_(registrations.c.status == Status.PENDING, _asks_rotation())
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


def _asked_by(person: Person) -> sa.ColumnElement[bool]:
    return sa.and_(
        registrations.c.team_id == person.team_id, registrations.c.user_id == person.user_id
    )


def _once_asked_by(person: Person) -> sa.ColumnElement[bool]:
    former = sa.cast(registrations.c.former, sa.Text)
    return former.contains(f'"{person.user_id}"', autoescape=True)


def _asks_rotation() -> sa.ColumnElement[bool]:
    """Whether a rotation waits for its approvers: then a timer waits for its end."""
    lapsing = sa.select(timers.c.registration).where(timers.c.kind == TimerKind.EXPIRE_ROTATION)
    state = registrations.c.rotation["state"].as_string()
    return sa.and_(
        registrations.c.id.in_(lapsing),
        _is_ready(),
        sa.func.coalesce(state, "") == RotationState.ASKED,
    )


def _is_ready() -> sa.ColumnElement[bool]:
    """Compare without the index by status: most registrations are ready, and few are looked for."""
    return sa.func.coalesce(registrations.c.status, "") == Status.READY


def _rotation_asked_by(person: Person) -> sa.ColumnElement[bool]:
    user_id = registrations.c.rotation["asked_by"]["user_id"].as_string()
    return sa.and_(_asks_rotation(), sa.func.coalesce(user_id, "") == person.user_id)


def _voted_on(person: Person) -> sa.ColumnElement[bool]:
    """Whether this person has decided on what waits: the plan, or the rotation asked for."""
    rotation = sa.func.coalesce(registrations.c.rotation["id"].as_string(), "")
    return sa.exists().where(
        votes.c.registration == registrations.c.id,
        votes.c.rotation == sa.case((_asks_rotation(), rotation), else_=""),
        votes.c.team_id == person.team_id,
        votes.c.user_id == person.user_id,
        votes.c.void.is_(None),
    )


def _expires_at() -> sa.ColumnElement[datetime]:
    """When the registration's newest secret that was handed over and still works ends."""
    return (
        sa.select(sa.func.max(secrets.c.expires_at))
        .join(runs, runs.c.id == secrets.c.run)
        .where(
            secrets.c.registration == registrations.c.id,
            runs.c.outcome == RunOutcome.HANDED_OVER,
            secrets.c.state.in_(LIVE),
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
    return ListLine(
        id=row["id"],
        status=Status(row["status"]),
        run=RunKind(row["run"]) if row["run"] else None,
        requester=Person(
            team_id=row["team_id"], user_id=row["user_id"], name=row["requester_name"]
        ),
        name=row["form"]["name"],
        created_at=row["created_at"],
        expires_at=expires_at,
        asks_rotation=is_ready and _is_asked(row["rotation"]),
        has_expired=is_ready and expires_at is not None and expires_at <= now,
    )


def _is_asked(rotation: Mapping[str, Any] | None) -> bool:
    return rotation is not None and rotation["state"] == RotationState.ASKED
