"""Accepted signatures: a signed request counts once, also after a restart and on every replica.

Only a digest is stored: whoever reads the database must not be able to send a request again.
"""

import hashlib
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.once import insert_once
from bot.storage.tables import accepted_signatures


async def accept(tx: AsyncConnection, signature: str, *, expires_at: datetime) -> bool:
    """Store a valid signature. Return False if it was accepted before."""
    return await insert_once(
        tx, accepted_signatures, digest=_digest(signature), expires_at=expires_at
    )


async def release(tx: AsyncConnection, signature: str) -> None:
    """Delete a signature whose request was not processed, so that the same bytes may come again."""
    await tx.execute(
        sa.delete(accepted_signatures).where(accepted_signatures.c.digest == _digest(signature))
    )


async def delete_expired(tx: AsyncConnection, now: datetime) -> None:
    """Delete the signatures that are too old to be valid anyway."""
    await tx.execute(sa.delete(accepted_signatures).where(accepted_signatures.c.expires_at < now))


def _digest(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()
