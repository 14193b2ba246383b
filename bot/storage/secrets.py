"""Secrets: their nonces, their sealed bytes, their states. The clear text never comes here."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import RunOutcome
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason, Secret, SecretState
from bot.storage import sqlite
from bot.storage.messages import mask_failed
from bot.storage.rows import THIS, count, from_row, insert, update
from bot.storage.tables import installation, registrations, runs, secrets

IN_USE = secrets.c.removed_because.is_(None)
"""The condition that a secret, once it is made, is not out of use."""


class Purpose(StrEnum):
    """The sealed values in a secret's row, by the name of the column."""

    SECRET = "sealed"
    ANSWER = "answer_to"  # where the reveal can be masked


class Sealed(NamedTuple):
    """Sealed bytes, and the owner that their seal must name for them to open."""

    owner: str
    data: bytes | None


async def attempt(
    tx: AsyncConnection, *, id: str, registration: str, run: str, nonce: str, now: datetime
) -> None:
    """Store a nonce before the call that carries it."""
    state, of = SecretState.ATTEMPTED, {"registration": registration, "run": run}
    await insert(tx, secrets, id=id, **of, nonce=nonce, state=state, made_at=now)


async def attempts(tx: AsyncConnection, run: str) -> int:
    """Count the secrets that a run may have asked for."""
    return await count(tx, secrets, secrets.c.run == run)


async def id_of(tx: AsyncConnection, nonce: str) -> str:
    """Return the id under which the attempt with this nonce was stored."""
    query = sa.select(secrets.c.id).where(secrets.c.nonce == nonce)
    return str((await tx.execute(query)).scalar_one())


async def seal(tx: AsyncConnection, id: str, **columns: Any) -> None:
    """Keep the sealed secret of this attempt.

    If its run has ended in the meantime, in a process that took it over, it would never be used:
    then it stays an attempt, which a sweep removes.
    """
    is_open = sa.exists().where(runs.c.id == secrets.c.run, runs.c.ended_at.is_(None))
    await update(tx, secrets, secrets.c.id == id, is_open, state=SecretState.SEALED, **columns)


async def sealed_of_run(tx: AsyncConnection, run: str) -> Secret | None:
    """Return the secret that this run has sealed, if it got so far."""
    found = await _found(tx, _OF_RUN, run)
    return next((each for each in found if each.is_unread), None)


async def get(tx: AsyncConnection, id: str) -> Secret | None:
    return next(iter(await _found(tx, _ONE, id)), None)


async def announced(
    tx: AsyncConnection, registration: str
) -> tuple[Secret | None, tuple[Secret, ...]]:
    """Return the newest secret that a run has proved and handed over, and all others of that kind.

    One that is still being tested, or whose run has failed, does not count. Nor does one that was
    meant to replace another and was not picked up: the other one is still the newest, unless it was
    replaced.
    """
    found = await _found(tx, _ANNOUNCED, registration)
    counts = (it for it in found if not it.has_lapsed and not it.is_superseded)
    newest = next(counts, found[0] if found else None)
    return newest, tuple(each for each in found if each is not newest)


async def approved_until(tx: AsyncConnection, registration: str) -> datetime | None:
    """Return until when a secret was approved: by the plan, or by the latest rotation since.

    The first secrets of these runs are the approved ones; later ones stay within their time.
    """
    newest, others = await announced(tx, registration)
    approved = [
        each
        for each in (newest, *others)
        if each is not None and each.made_by is not RunKind.REPLACE_SECRET and not each.has_lapsed
    ]
    return max(approved, key=lambda it: it.made_at).expires_at if approved else None


async def live(tx: AsyncConnection, registration: str) -> tuple[Secret, ...]:
    """Return the registration's secrets that Entra should hold: two while one follows another."""
    return tuple(each for each in await of(tx, registration) if each.is_live)


async def of(tx: AsyncConnection, registration: str) -> tuple[Secret, ...]:
    """Return every secret of the registration that ever reached Entra, be it there or not."""
    return await _found(tx, _OF_REGISTRATION, registration)


async def add_unknown(
    tx: AsyncConnection, *, registration: str, run: str, key_id: str, **columns: Any
) -> None:
    """Keep a secret that Entra holds and that users may or may not have seen.

    One that is known already belongs to `run` from now on.
    """
    values = {"run": run, "state": SecretState.UNKNOWN, "sealed": None}
    is_it = sa.and_(secrets.c.registration == registration, secrets.c.key_id == key_id)
    if not await _replace(tx, is_it, **values):
        id = uuid4().hex
        ids = {"id": id, "registration": registration, "nonce": id[:16], "key_id": key_id}
        await insert(tx, secrets, **ids, **values, **columns)


async def schedule_removal(tx: AsyncConnection, id: str, at: datetime) -> None:
    """Note when the secret is to be removed, because the one that follows it was seen."""
    await update(tx, secrets, secrets.c.id == id, remove_at=at)


async def cancel_removals(tx: AsyncConnection, registration: str, now: datetime) -> Sequence[str]:
    """Let no secret retire: its successor has still to be seen. Return the secrets that lose their
    date.

    A date that has come is kept: the removal was asked for, or due.
    """
    query = (
        sa.update(secrets)
        .where(secrets.c.registration == registration, secrets.c.remove_at > now, IN_USE)
        .values(remove_at=None)
        .returning(secrets.c.id)
    )
    return (await tx.scalars(query)).all()


async def closing(tx: AsyncConnection, registration: str) -> frozenset[str]:
    """Return the key ids of secrets that wait for their removal from Entra."""
    found = await of(tx, registration)
    return frozenset(it.key_id for it in found if it.is_being_removed and it.key_id)


async def sealed(tx: AsyncConnection, id: str, purpose: Purpose) -> Sealed:
    """Return the sealed value of the row, and its owner by all that the row is joined to.

    A seal names installation, registration, requester, secret and purpose: a row that was pointed
    at another of these does not open.
    """
    return _sealed((await tx.execute(_owned(id))).one(), purpose)


async def owner(tx: AsyncConnection, id: str, purpose: Purpose) -> str:
    """Return whom to seal for, who stays the owner for the rest of the transaction."""
    # Else a handover could commit between this and the seal, and the seal would never open.
    query = _owned(id).with_for_update(of=registrations)
    return _sealed((await tx.execute(query)).one(), purpose).owner


async def kept(tx: AsyncConnection, registration: str) -> Sequence[tuple[str, Purpose]]:
    """Return the secrets that hold a sealed value, and which."""
    query = sa.select(secrets).where(secrets.c.registration == registration)
    rows = (await tx.execute(query)).mappings().all()
    return [(row["id"], each) for row in rows for each in Purpose if row[each] is not None]


async def put(tx: AsyncConnection, id: str, purpose: Purpose, data: bytes) -> None:
    """Keep other sealed bytes in the place of those that are there."""
    await _replace(tx, secrets.c.id == id, **{purpose: data})


def _owned(id: str) -> sa.Select[Any]:
    here = sa.select(installation.c.id).scalar_subquery()
    query = sa.select(
        here.label("installation"),
        secrets.c.registration,
        registrations.c.team_id,
        registrations.c.user_id,
        secrets.c.id,
        secrets.c.sealed,
        secrets.c.answer_to,
    )
    query = query.join(registrations, registrations.c.id == secrets.c.registration)
    return query.where(secrets.c.id == id)


def _sealed(row: sa.Row[Any], purpose: Purpose) -> Sealed:
    owner = [row.installation, row.registration, row.team_id, row.user_id, row.id, purpose]
    return Sealed(owner=json.dumps(owner), data=getattr(row, purpose))


async def unseen(tx: AsyncConnection) -> Sequence[tuple[str, bytes]]:
    """Return the registration and the sealed bytes of every secret that waits to be seen."""
    query = sa.select(secrets.c.registration, secrets.c.sealed).where(secrets.c.sealed.is_not(None))
    return [(registration, sealed) for registration, sealed in await tx.execute(query)]


async def close(tx: AsyncConnection, id: str, because: RemovalReason, *, now: datetime) -> bool:
    """Take an unread secret out of the vault, for its removal from Entra. False if it is not there:
    then it was claimed, or closed before.
    """
    is_unread = sa.and_(secrets.c.id == id, secrets.c.state == SecretState.SEALED, IN_USE)
    gone = {"sealed": None, "removed_because": because, "remove_at": now}
    return await _replace(tx, is_unread, **gone) == 1


async def note_removed(
    tx: AsyncConnection, id: str, because: RemovalReason, *, now: datetime
) -> None:
    """Note that Entra does not hold the secret. One that was closed before keeps its reason."""
    is_news = sa.and_(secrets.c.id == id, secrets.c.removed_at.is_(None))
    reason = sa.func.coalesce(secrets.c.removed_because, because)
    await _replace(tx, is_news, sealed=None, removed_because=reason, removed_at=now)


async def confirm_removed(
    tx: AsyncConnection, registration: str, *, now: datetime, only: str | None = None
) -> Sequence[str]:
    """Note that Entra holds none of the registration's secrets any more that wait for their
    removal, or not this one. Return which these were.
    """
    found = await of(tx, registration)
    ids = [it.id for it in found if it.is_being_removed and only in (None, it.id)]
    query = sa.update(secrets).where(secrets.c.id.in_(ids), secrets.c.removed_at.is_(None))
    return (await tx.scalars(query.values(removed_at=now).returning(secrets.c.id))).all()


async def forget_answer_to(tx: AsyncConnection, id: str) -> bool:
    """Forget where the reveal can be masked. False if that was forgotten before."""
    is_known = sa.and_(secrets.c.id == id, secrets.c.answer_to.is_not(None))
    return await _replace(tx, is_known, answer_to=None) == 1


async def change(
    tx: AsyncConnection,
    id: str,
    target: SecretState,
    *,
    since: Iterable[SecretState],
    **columns: Any,
) -> bool:
    """Move a secret in use to `target` from one of `since`, and set `columns` with it."""
    may_move = sa.and_(secrets.c.id == id, secrets.c.state.in_(tuple(since)), IN_USE)
    return await _replace(tx, may_move, state=target, **columns) == 1


async def _replace(tx: AsyncConnection, which: sa.ColumnElement[bool], **columns: Any) -> int:
    """Update a secret. Sealed bytes that this replaces leave SQLite's log, too."""
    if set(Purpose) & set(columns):
        sqlite.request_cleanup(tx)
    return await update(tx, secrets, which, **columns)


async def _found(tx: AsyncConnection, query: sa.Select[Any], this: str) -> tuple[Secret, ...]:
    rows = (await tx.execute(query, {"this": this})).mappings()
    return tuple(from_row(Secret, row) for row in rows)


def _query(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select these secrets, newest first, with the kind of the run that made each, whether one was
    to remove it, and what is known of the message that shows it.
    """
    removals = runs.alias()
    began = sa.exists().where(
        removals.c.registration == secrets.c.registration,
        removals.c.kind == RunKind.REMOVE_PREVIOUS,
        removals.c.subject == secrets.c.id,
    )
    query = sa.select(
        secrets,
        runs.c.kind.label("made_by"),
        began.label("removal_began"),
        secrets.c.answer_to.is_not(None).label("can_be_masked"),
        mask_failed(secrets).label("mask_failed"),
    )
    query = query.join(runs, runs.c.id == secrets.c.run).where(*which)
    return query.order_by(secrets.c.made_at.desc())


_ONE = _query(secrets.c.id == THIS)
_OF_RUN = _query(secrets.c.run == THIS)
_REACHED = secrets.c.registration == THIS, secrets.c.key_id.is_not(None)
_OF_REGISTRATION = _query(*_REACHED)
_ANNOUNCED = _query(
    *_REACHED,
    runs.c.outcome == RunOutcome.HANDED_OVER,
    # A run that is killed while it removes its first secret makes another and hands that one over.
    sa.or_(IN_USE, secrets.c.removed_because != RemovalReason.UNFINISHED),
)
