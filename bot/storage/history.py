"""History: events with their actor and time, each entry chained to the one before by its hash; and
the changes of a transaction as log lines, written once it is committed.

Each entry is signed, and so is the head: the newest entry's number and hash, in the registration's
row. Without VAULT_KEYS, access to the database is not enough to change, add or cut off an entry
unnoticed. `audit` compares.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event, RequestEvent
from bot.domain.people import Person
from bot.storage import rows
from bot.storage.rows import THIS, from_row, insert, is_person, update
from bot.storage.tables import history, registrations
from bot.storage.vault import Vault
from graph.http import latest_request

log = structlog.get_logger()


VAULT = "vault"
"""The execution option under which each connection carries the vault: all writers of history have a
connection, and few have the vault."""
UNVERIFIED = "unverified head"
"""The detail in which an entry keeps the head that it could not verify when it was written."""

REACH = 200
"""How far back a history of several registrations reaches: counting all would take ever longer."""

DECISIVE = (Event.SUBMITTED, Event.APPROVED, Event.DENIED)
MOST_DECISIVE = 12
BOT = Person(team_id="-", user_id="-", name="aad-setup")
"""The bot itself, for changes without a user."""


IDS = ("digest", "secret", "key_id", "run", "code", "to", "of", "application")
"""Details that are logged, too: none of them is text of a user."""
LOGGED_AS: Mapping[str, str] = {Event.SUBMITTED: "requested", Event.SECRET_SHOWN: "revealed"}
LOGGED_ELSEWHERE = (Event.FAILED, Event.ORPHAN)
"""These have a warning of their own."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of history."""

    seq: int
    at: datetime
    team_id: str
    user_id: str
    what: str  # an Event, unless something other than this version of the bot wrote it
    details: Mapping[str, Any]
    previous: str
    hash: str
    mac: str | None


@dataclass(frozen=True, kw_only=True)
class Head:
    """The signed end of a registration's history."""

    seq: int
    hash: str
    mac: str

    @classmethod
    def read(cls, stored: str | None) -> "Head":
        """Read the stored head; an unreadable one counts as unsigned."""
        seq, _, rest = (stored or "").partition(":")
        digest, _, mac = rest.partition(":")
        return cls(seq=int(seq) if seq.isdecimal() else 0, hash=digest, mac=mac)

    @classmethod
    def signed(cls, vault: Vault, registration: str, seq: int, hash: str) -> "Head":
        return cls(seq=seq, hash=hash, mac=vault.sign(_head_text(registration, seq, hash)))

    def is_signed(self, vault: Vault, registration: str) -> bool:
        return vault.is_signed(_head_text(registration, self.seq, self.hash), self.mac)

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}:{self.mac}"


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """Some entries of history, newest first, and how many there are in all."""

    entries: Sequence[tuple[str, Entry]]  # each with its registration's id
    total: int  # at most REACH, unless they are of one registration
    offset: int = 0
    """How many entries are newer than these."""
    decisive: Sequence[Entry] = ()
    """Who asked and who decided, oldest first, of one registration."""

    @property
    def left(self) -> int:
        """How many entries are older than these."""
        return max(0, self.total - self.offset - len(self.entries))


async def write(
    tx: AsyncConnection,
    /,
    registration: str,
    event: Event | RequestEvent,
    *,
    by: Person = BOT,
    now: datetime,
    **details: Any,
) -> None:
    """Add an entry. The registration's row must be locked by this transaction."""
    vault, (stored, last) = vault_of(tx), await _end(tx, registration)
    head = Head.read(stored)
    is_signed = head.is_signed(vault, registration)
    is_first = stored is None and last == 0
    if not is_first and not (is_signed and head.seq == last):
        # It goes on, for a revocation must work; the audit reports the entry.
        details[UNVERIFIED] = stored or ""
    seq = max(last, head.seq if is_signed else 0) + 1
    entry = {
        "registration": registration,
        "seq": seq,
        "at": now,
        "team_id": by.team_id,
        "user_id": by.user_id,
        "what": event,
        "details": details,
        "previous": head.hash,
    }
    hash = digest(entry)
    await insert(tx, history, **entry, hash=hash, mac=vault.sign(entry_text(hash)))
    new = Head.signed(vault, registration, seq, hash)
    await update(tx, registrations, registrations.c.id == registration, head=str(new))
    if event not in LOGGED_ELSEWHERE:
        who = {} if by is BOT else {"by": by.user_id}
        ids = {name: details[name] for name in IDS if name in details}
        record_change(tx, LOGGED_AS.get(event, event), registration, **who, **ids)


_LAST = sa.select(sa.func.max(history.c.seq)).where(history.c.registration == THIS)
_END = sa.select(registrations.c.head, _LAST.scalar_subquery().label("last")).where(
    registrations.c.id == THIS
)


async def _end(tx: AsyncConnection, registration: str) -> tuple[str | None, int]:
    """Return the head as it is stored, and the number of the newest entry."""
    row = (await tx.execute(_END, {"this": registration})).one()
    return row.head, row.last or 0


async def resign_heads(tx: AsyncConnection) -> None:
    """Sign with the newest key the heads that an older one has signed: then VAULT_KEYS can drop it.

    A head that no key has signed stays as it is, for the audit to find.
    """
    vault = vault_of(tx)
    query = sa.select(registrations.c.id, registrations.c.head).where(
        registrations.c.head.not_like(f"%:{vault.newest_history_key}:%")
    )
    for id, stored in (await tx.execute(query)).all():
        head = Head.read(stored)
        if head.is_signed(vault, id):
            new = Head.signed(vault, id, head.seq, head.hash)
            # Another replica may have written meanwhile.
            where = (registrations.c.id == id, registrations.c.head == stored)
            await update(tx, registrations, *where, head=str(new))


async def read(tx: AsyncConnection, registration: str) -> Sequence[Entry]:
    """Return the registration's entries, oldest first."""
    return await _entries(tx, _of(registration).order_by(history.c.seq))


async def count(
    tx: AsyncConnection,
    event: Event | RequestEvent,
    *,
    since: datetime,
    by: Person | None = None,
    registration: str | None = None,
) -> int:
    """Count these entries since then: of all users or one, of all registrations or one."""
    wanted = [history.c.what == event, history.c.at > since]
    if by is not None:
        wanted.append(is_person(history, by))
    if registration is not None:
        wanted.append(history.c.registration == registration)
    return await rows.count(tx, history, *wanted)


async def since(tx: AsyncConnection, event: Event, moment: datetime) -> Sequence[tuple[str, Entry]]:
    """Return the entries that say this since then, each with its registration's id."""
    query = sa.select(history).where(history.c.at >= moment, history.c.what == event)
    found = (await tx.execute(query.order_by(history.c.at))).mappings()
    return [(row["registration"], entry_of(row)) for row in found]


async def recent(
    tx: AsyncConnection,
    *,
    limit: int,
    offset: int = 0,
    only_of: Person | None = None,
    registration: str | None = None,
) -> HistoryPage:
    """Return entries, newest first: of all, of one person's registrations, or of one."""
    wanted = sa.select(history)
    reach: int | None = REACH
    if only_of is not None:
        theirs = sa.select(registrations.c.id).where(is_person(registrations, only_of))
        wanted = wanted.where(history.c.registration.in_(theirs))
    if registration is not None:
        wanted, reach = wanted.where(history.c.registration == registration), None
    order = (history.c.at.desc(), history.c.registration, history.c.seq.desc())
    total = await rows.count(tx, wanted.order_by(*order).limit(reach).subquery())
    found = await tx.execute(wanted.order_by(*order).limit(limit).offset(offset))
    entries = [(row["registration"], entry_of(row)) for row in found.mappings()]
    return HistoryPage(entries=entries, total=total, offset=offset)


async def latest(tx: AsyncConnection, registration: str) -> Entry | None:
    """Return the newest entry of a registration."""
    query = _of(registration).order_by(history.c.seq.desc()).limit(1)
    return next(iter(await _entries(tx, query)), None)


async def decisive(tx: AsyncConnection, registration: str) -> Sequence[Entry]:
    """Return who asked for a registration and who decided on it, oldest first."""
    query = _of(registration).where(history.c.what.in_(DECISIVE)).order_by(history.c.seq)
    return await _entries(tx, query.limit(MOST_DECISIVE))


async def _entries(tx: AsyncConnection, query: sa.Select[Any]) -> Sequence[Entry]:
    return [entry_of(row) for row in (await tx.execute(query)).mappings()]


def digest(entry: Mapping[str, Any]) -> str:
    """Return the hash that an entry must carry: sha256 of its canonical JSON."""
    covered = {k: v for k, v in entry.items() if k not in ("hash", "mac")}
    covered["at"] = covered["at"].isoformat()
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def vault_of(tx: AsyncConnection) -> Vault:
    """Return the vault that the database was opened with."""
    assert tx.sync_connection is not None
    vault: Vault = tx.sync_connection.get_execution_options()[VAULT]
    return vault


def entry_text(hash: str) -> str:
    """Return the signed text of an entry: its hash covers all else, and the one before."""
    return f"entry:{hash}"


def _head_text(registration: str, seq: int, hash: str) -> str:
    return f"head:{registration}:{seq}:{hash}"


def _of(registration: str) -> sa.Select[Any]:
    return sa.select(history).where(history.c.registration == registration)


def entry_of(row: Mapping[Any, Any]) -> Entry:
    return from_row(Entry, row)


Change = tuple[str, Mapping[str, Any]]
NOTED = "facts"
"""Where they are kept on the connection, which outlives its transactions."""


def record_change(tx: AsyncConnection, what: str, registration: str, **ids: Any) -> None:
    """Have this logged if the transaction is committed. Take ids only, never text of users."""
    if "requests" not in ids and (request := latest_request()) is not None:
        ids["requests"] = [request]
    tx.info.setdefault(NOTED, []).append((what, {"registration": registration, **ids}))


def take_changes(tx: AsyncConnection) -> Sequence[Change]:
    """Return the changes noted on this connection, and forget them."""
    noted: list[Change] = tx.info.pop(NOTED, [])
    return noted


def write_to_log(facts: Sequence[Change]) -> None:
    for what, ids in facts:
        log.info(what, **ids)
