"""Insert it unless it is there already: of several at once, one inserts and the others learn it.

To look first and then insert is two steps, and on PostgreSQL others act between them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

INSERTS: Mapping[str, Callable[[sa.Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


async def insert_or_ignore(tx: AsyncConnection, table: sa.Table, **values: Any) -> bool:
    """Insert the row; False if a unique column says that it, or one like it, is there.

    A second transaction waits for the commit of the first, and sees its row from then on.
    """
    insert = INSERTS[tx.dialect.name](table).values(**values).on_conflict_do_nothing()
    # Drivers do not agree on how many rows an INSERT has touched; its returned rows are clear.
    return (await tx.execute(insert.returning(sa.literal(True)))).first() is not None


async def insert_and_expire(
    tx: AsyncConnection, table: sa.Table, key: str, *, at: datetime, oldest: datetime
) -> bool:
    """Insert a key with its time, False if it is there; delete keys whose time is before `oldest`.

    The table has these two columns.
    """
    name, time = table.columns
    await tx.execute(sa.delete(table).where(time < oldest))
    return await insert_or_ignore(tx, table, **{name.name: key, time.name: at})


async def insert_missing(
    tx: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert those rows that are not there."""
    if rows:
        await tx.execute(INSERTS[tx.dialect.name](table).on_conflict_do_nothing(), list(rows))
