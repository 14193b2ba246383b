"""Slots: which replica is which, and which one is dead. PostgreSQL's advisory locks say so.

A lock goes with its connection, so death needs no clock and no lease. On SQLite there is one
process, one slot, and no lock beyond the file's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import sqlalchemy as sa

from bot.engine import Engine

CLASS = 0x41AD  # ours among a database's advisory locks
SLOTS = 16


class NoSlot(Exception):
    """As many replicas run as there are slots."""


class Slot:
    """One replica's place, held as long as its connection lives."""

    def __init__(
        self, number: int, connection: psycopg.AsyncConnection[tuple[bool]] | None
    ) -> None:
        self._number = number
        self._connection = connection

    @property
    def executor(self) -> str:
        """The engine's name for this replica."""
        return _executor(self._number)

    async def take_over_dead(self, engine: Engine) -> None:
        """Resume the runs of replicas that are gone, while holding their slots."""
        if self._connection is None:
            return
        for number in range(SLOTS):
            if number != self._number and await _lock(self._connection, number):
                try:
                    await engine.take_over(_executor(number))
                finally:
                    await self._connection.execute(
                        "SELECT pg_advisory_unlock(%s, %s)", (CLASS, number)
                    )


@asynccontextmanager
async def taken(url: str) -> AsyncIterator[Slot]:
    """Take the first free slot of this database. Raises NoSlot."""
    if not url.startswith("postgresql"):
        yield Slot(0, None)
        return
    address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await psycopg.AsyncConnection.connect(
        address, autocommit=True, keepalives_idle=10, keepalives_interval=5
    )
    try:
        yield Slot(await _first_free(connection), connection)
    finally:
        await connection.close()


async def _first_free(connection: psycopg.AsyncConnection[tuple[bool]]) -> int:
    for number in range(SLOTS):
        if await _lock(connection, number):
            return number
    raise NoSlot(f"{SLOTS} replicas are running already.")


async def _lock(connection: psycopg.AsyncConnection[tuple[bool]], number: int) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (CLASS, number))
    row = await cursor.fetchone()
    return bool(row and row[0])


def _executor(number: int) -> str:
    return f"slot-{number}"
