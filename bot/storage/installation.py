"""The installation: its id, when it last searched the tenant for orphans, and whether its database
is a restored copy that has not been compared with the tenant yet.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.rows import insert_or_ignore, scalar, update
from bot.storage.tables import installation


async def ensure_id(tx: AsyncConnection, *, new: str, now: datetime) -> str:
    """Return this installation's id, which is `new` from the first call on."""
    await insert_or_ignore(tx, installation, id=new, only=True, created_at=now, searched_at=now)
    return str(await id_of(tx))


async def id_of(tx: AsyncConnection) -> str | None:
    """Return the installation's id, or None if no bot has ever started here."""
    return await scalar(tx, installation.c.id)


async def lock_submissions(tx: AsyncConnection) -> None:
    """Let no other registration begin before this transaction ends: counts stay valid."""
    await update(tx, installation, only=True)


async def is_orphan_scan_due(tx: AsyncConnection, *, since: datetime) -> bool:
    """Whether no replica has searched the tenant after `since`."""
    return await scalar(tx, installation.c.id, installation.c.searched_at <= since) is not None


async def claim_orphan_scan(tx: AsyncConnection, *, since: datetime, until: datetime) -> bool:
    """Claim the search due after `since`, as if the last had been at `until`: the searching replica
    may be stopped. False if another replica was faster.
    """
    is_due = installation.c.searched_at <= since
    return await update(tx, installation, is_due, searched_at=until) == 1


async def set_last_orphan_scan(tx: AsyncConnection, at: datetime) -> None:
    """Note when the tenant was last searched."""
    await update(tx, installation, searched_at=at)


async def place(tx: AsyncConnection) -> str | None:
    """Return the number that tells this database from a copy, or None if there is none yet."""
    return await scalar(tx, installation.c.place)


async def put_place(tx: AsyncConnection, place: str) -> None:
    await update(tx, installation, place=place)


async def announce_restore(tx: AsyncConnection, now: datetime) -> bool:
    """Note that the database is a restored copy. False if no bot has ever started on it.

    The moment of an earlier restore that was not dealt with stays: the comparison goes on.
    """
    at = sa.func.coalesce(installation.c.restored_at, now)
    return await update(tx, installation, restored_at=at) == 1


async def restored_at(tx: AsyncConnection) -> datetime | None:
    """Return when a copy was restored that has not been compared with the tenant yet."""
    return await scalar(tx, installation.c.restored_at)


async def end_restore(tx: AsyncConnection) -> None:
    """Note that the restored copy was compared with the tenant."""
    await update(tx, installation, restored_at=None)
