"""History: who did what and when, each entry chained to the one before by its hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.registration import Person
from bot.storage.tables import history, registrations

REACH = 200
"""How far back a history of several registrations reaches: counting all would take ever longer."""

BOT = Person(team_id="-", user_id="-", name="aad-setup")
"""The bot itself, where nobody clicked."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of history."""

    seq: int
    at: datetime
    team_id: str
    user_id: str
    what: str
    details: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """Some entries of history, newest first, and how many there are in all."""

    entries: Sequence[tuple[str, Entry]]  # each with its registration's id
    total: int  # at most REACH, unless they are of one registration


async def write(
    tx: AsyncConnection,
    registration: str,
    what: str,
    *,
    by: Person = BOT,
    now: datetime,
    **details: Any,
) -> None:
    """Add an entry. The registration's row must be locked by this transaction."""
    last = (await tx.execute(_of(registration).order_by(history.c.seq.desc()).limit(1))).first()
    entry = {
        "registration": registration,
        "seq": 1 if last is None else last.seq + 1,
        "at": now,
        "team_id": by.team_id,
        "user_id": by.user_id,
        "what": what,
        "details": details,
        "previous": "" if last is None else last.hash,
    }
    await tx.execute(sa.insert(history).values(**entry, hash=digest(entry)))


async def read(tx: AsyncConnection, registration: str) -> Sequence[Entry]:
    """Return the registration's entries, oldest first."""
    rows = (await tx.execute(_of(registration).order_by(history.c.seq))).mappings()
    return [_entry(row) for row in rows]


async def count(
    tx: AsyncConnection,
    what: str,
    *,
    since: datetime,
    by: Person | None = None,
    registration: str | None = None,
) -> int:
    """Count the entries that say this since then: of everybody, or of one; of all, or of one."""
    wanted = [history.c.what == what, history.c.at > since]
    if by is not None:
        wanted += [history.c.team_id == by.team_id, history.c.user_id == by.user_id]
    if registration is not None:
        wanted.append(history.c.registration == registration)
    query = sa.select(sa.func.count()).select_from(history).where(*wanted)
    return int(await tx.scalar(query) or 0)


async def recent(
    tx: AsyncConnection,
    *,
    limit: int,
    offset: int = 0,
    only_of: Person | None = None,
    registration: str | None = None,
) -> Told:
    """Return entries, newest first: of all, of one person's registrations, or of one."""
    wanted = sa.select(history)
    reach: int | None = REACH
    if only_of is not None:
        theirs = sa.select(registrations.c.id).where(
            registrations.c.team_id == only_of.team_id, registrations.c.user_id == only_of.user_id
        )
        wanted = wanted.where(history.c.registration.in_(theirs))
    if registration is not None:
        wanted, reach = wanted.where(history.c.registration == registration), None
    order = (history.c.at.desc(), history.c.registration, history.c.seq.desc())
    newest = wanted.order_by(*order).limit(reach).subquery()
    total = await tx.scalar(sa.select(sa.func.count()).select_from(newest))
    rows = await tx.execute(wanted.order_by(*order).limit(limit).offset(offset))
    entries = [(row["registration"], _entry(row)) for row in rows.mappings()]
    return Told(entries=entries, total=int(total or 0))


def digest(entry: Mapping[str, Any]) -> str:
    """Return the hash that an entry must carry: sha256 of its canonical JSON."""
    fields = {k: v for k, v in entry.items() if k != "hash"}
    fields["at"] = fields["at"].isoformat()
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _of(registration: str) -> sa.Select[Any]:
    return sa.select(history).where(history.c.registration == registration)


def _entry(row: Mapping[Any, Any]) -> Entry:
    return Entry(**{name: value for name, value in row.items() if name != "registration"})
