"""Secrets: their nonces, their sealed bytes, their states. The clear text never comes here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.registration import Secret, SecretState
from bot.storage.tables import runs, secrets

LIVE = (
    SecretState.SEALED,
    SecretState.CLAIMED,
    SecretState.SHOWN,
    SecretState.MASKED,
    SecretState.UNKNOWN,
    SecretState.UNMASKED,
)
"""States in which Entra still holds the secret and knows it to be ours."""
HANDED_OVER = "ready"
"""The outcome of a run that made a secret, proved it and announced it."""


async def attempt(
    tx: AsyncConnection, *, id: str, registration: str, run: str, nonce: str, now: datetime
) -> None:
    """Store a nonce before the call that carries it."""
    await tx.execute(
        sa.insert(secrets).values(
            id=id,
            registration=registration,
            run=run,
            nonce=nonce,
            state=SecretState.ATTEMPTED,
            made_at=now,
        )
    )


async def id_of(tx: AsyncConnection, nonce: str) -> str:
    """Return the id under which the attempt with this nonce was stored."""
    query = sa.select(secrets.c.id).where(secrets.c.nonce == nonce)
    return str((await tx.execute(query)).scalar_one())


async def seal(tx: AsyncConnection, id: str, **columns: Any) -> None:
    """Keep the sealed secret of this attempt.

    If its run has ended in the meantime, in a process that took it over, nobody would ever use it:
    then it stays an attempt, which a sweep removes.
    """
    is_open = sa.exists().where(runs.c.id == secrets.c.run, runs.c.ended_at.is_(None))
    await tx.execute(
        sa.update(secrets)
        .where(secrets.c.id == id, is_open)
        .values(state=SecretState.SEALED, **columns)
    )


async def sealed_of_run(tx: AsyncConnection, run: str) -> Secret | None:
    """Return the secret that this run has sealed, if it got so far."""
    query = sa.select(secrets).where(secrets.c.run == run, secrets.c.state == SecretState.SEALED)
    row = (await tx.execute(query)).mappings().first()
    return None if row is None else _secret(row)


async def get(tx: AsyncConnection, id: str) -> Secret | None:
    row = (await tx.execute(sa.select(secrets).where(secrets.c.id == id))).mappings().first()
    return None if row is None else _secret(row)


async def newest(tx: AsyncConnection, registration: str) -> Secret | None:
    """Return the secret of the registration's latest run that proved one and handed it over.

    One that is still being tried, or whose run has failed, is nobody's.
    """
    query = (
        sa.select(secrets)
        .join(runs, runs.c.id == secrets.c.run)
        .where(
            secrets.c.registration == registration,
            secrets.c.key_id.is_not(None),
            runs.c.outcome == HANDED_OVER,
        )
        .order_by(secrets.c.made_at.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).mappings().first()
    return None if row is None else _secret(row)


async def approved_until(tx: AsyncConnection, registration: str) -> datetime | None:
    """Return when the first secret that was handed over ends: what was approved goes so far."""
    query = (
        sa.select(secrets.c.expires_at)
        .join(runs, runs.c.id == secrets.c.run)
        .where(secrets.c.registration == registration, runs.c.outcome == HANDED_OVER)
        .order_by(secrets.c.made_at)
    )
    return (await tx.scalars(query.limit(1))).first()


async def live(tx: AsyncConnection, registration: str) -> tuple[Secret, ...]:
    """Return the registration's secrets that Entra should hold."""
    query = sa.select(secrets).where(
        secrets.c.registration == registration, secrets.c.state.in_(LIVE)
    )
    return tuple(_secret(row) for row in (await tx.execute(query)).mappings())


async def closing(tx: AsyncConnection, registration: str) -> frozenset[str]:
    """Return the key ids of secrets that are closed and wait for their removal from Entra."""
    query = sa.select(secrets.c.key_id).where(
        secrets.c.registration == registration,
        secrets.c.state == SecretState.CLOSED,
        secrets.c.key_id.is_not(None),
    )
    return frozenset((await tx.scalars(query)).all())


async def sealed_bytes(tx: AsyncConnection, id: str) -> bytes | None:
    found: bytes | None = await tx.scalar(sa.select(secrets.c.sealed).where(secrets.c.id == id))
    return found


async def waiting(tx: AsyncConnection) -> Sequence[tuple[str, bytes]]:
    """Return the registration and the sealed bytes of every secret that waits to be seen."""
    query = sa.select(secrets.c.registration, secrets.c.sealed).where(secrets.c.sealed.is_not(None))
    return [(registration, sealed) for registration, sealed in await tx.execute(query)]


async def confirm_removed(tx: AsyncConnection, registration: str) -> None:
    """Note that Entra holds none of the registration's closed secrets any more."""
    await tx.execute(
        sa.update(secrets)
        .where(secrets.c.registration == registration, secrets.c.state == SecretState.CLOSED)
        .values(state=SecretState.REMOVED)
    )


async def answer_to(tx: AsyncConnection, id: str) -> bytes | None:
    """Return the sealed address at which the reveal can be masked."""
    found: bytes | None = await tx.scalar(sa.select(secrets.c.answer_to).where(secrets.c.id == id))
    return found


async def forget_answer_to(tx: AsyncConnection, id: str) -> None:
    await tx.execute(sa.update(secrets).where(secrets.c.id == id).values(answer_to=None))


async def change(
    tx: AsyncConnection,
    id: str,
    target: SecretState,
    *,
    since: Iterable[SecretState],
    **columns: Any,
) -> bool:
    """Move the secret to `target` from one of `since`, and set `columns` with it."""
    done = await tx.execute(
        sa.update(secrets)
        .where(secrets.c.id == id, secrets.c.state.in_(tuple(since)))
        .values(state=target, **columns)
    )
    return done.rowcount == 1


def _secret(row: Mapping[Any, Any]) -> Secret:
    return Secret(
        id=row["id"],
        run=row["run"],
        state=SecretState(row["state"]),
        key_id=row["key_id"],
        hint=row["hint"],
        expires_at=row["expires_at"],
        made_at=row["made_at"],
    )
