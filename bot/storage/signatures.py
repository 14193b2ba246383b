"""Accepted signatures: a signed request counts once, also after a restart and on every replica.

Only a digest is stored: whoever reads the database must not be able to send a request again.
"""

import hashlib
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.once import insert_once
from bot.storage.tables import accepted_signatures

SKEW = timedelta(hours=1)
"""How far the replicas' clocks may differ: a signature is kept for so long after its end, or a
replica that is ahead would delete what one that is behind still takes for valid.
"""


async def accept(tx: AsyncConnection, signature: str, *, expires_at: datetime) -> bool:
    """Store a valid signature. Return False if it was accepted before."""
    return await insert_once(
        tx, accepted_signatures, digest=_digest(signature), expires_at=expires_at
    )


async def delete_expired(tx: AsyncConnection, now: datetime) -> None:
    """Delete the signatures that are too old to be valid anyway, on whichever replica."""
    oldest = now - SKEW
    await tx.execute(
        sa.delete(accepted_signatures).where(accepted_signatures.c.expires_at < oldest)
    )


def _digest(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()
