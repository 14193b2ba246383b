"""Accepted signatures: a signed request counts once, also after a restart and on every replica.

Only a digest is stored: a reader of the database must not be able to send a request again.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.rows import insert_and_expire
from bot.storage.tables import accepted_signatures

SKEW = timedelta(hours=1)
"""How far the replicas' clocks may differ: a signature is kept for so long after its end, or a
replica that is ahead would delete a signature that one behind still takes for valid.
"""


async def accept(
    tx: AsyncConnection, signature: str, *, expires_at: datetime, now: datetime
) -> bool:
    """Store a valid signature. Return False if it was accepted before."""
    digest = hashlib.sha256(signature.encode()).hexdigest()
    return await insert_and_expire(
        tx, accepted_signatures, digest, at=expires_at, oldest=now - SKEW
    )
