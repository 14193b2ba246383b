"""The installation: its id, and when it last searched the tenant for orphans."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.once import insert_once
from bot.storage.tables import installation


async def ensure_id(tx: AsyncConnection, *, new: str, now: datetime) -> str:
    """Return this installation's id, which is `new` from the first call on."""
    await insert_once(tx, installation, id=new, only=True, created_at=now, patrolled_at=now)
    return str((await tx.execute(sa.select(installation.c.id))).scalar_one())


async def id_of(tx: AsyncConnection) -> str | None:
    """Return the installation's id, or None if no bot has ever started here."""
    found: str | None = await tx.scalar(sa.select(installation.c.id))
    return found


async def stand_in_line(tx: AsyncConnection) -> None:
    """Let no other registration begin before this transaction ends: what is counted stays so."""
    await tx.execute(sa.update(installation).values(only=True))


async def is_patrol_owed(tx: AsyncConnection, *, since: datetime) -> bool:
    """Whether nobody has searched the tenant after `since`."""
    query = sa.select(installation.c.id).where(installation.c.patrolled_at <= since)
    return await tx.scalar(query) is not None


async def take_patrol(tx: AsyncConnection, *, since: datetime, now: datetime) -> bool:
    """Note that the tenant is searched now. False if another replica was faster."""
    done = await tx.execute(
        sa.update(installation).where(installation.c.patrolled_at <= since).values(patrolled_at=now)
    )
    return done.rowcount == 1


async def put_patrol(tx: AsyncConnection, at: datetime) -> None:
    """Say when the tenant was last searched: for a search that came to nothing."""
    await tx.execute(sa.update(installation).values(patrolled_at=at))
