"""Replicas: each holds a slot, a PostgreSQL advisory lock, as long as it lives.

A lock ends with its connection, so a dead replica is noticed without a clock or a lease. A replica
that loses the connection has to end, because others take it for dead. On SQLite there is one
process, one slot, and no lock but that of the file.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import sqlalchemy as sa
import structlog

from bot.problems import Unusable
from bot.storage.database import is_locked, sqlite_path
from bot.worker.loops import let_end

log = structlog.get_logger()

Connection = psycopg.AsyncConnection[tuple[bool]]
CLASS = 0x41AD  # ours among a database's advisory locks
SLOTS = 16
HELD = b"""SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
LOST = 75
"""Exit status of a replica that has lost its slot: its supervisor starts it again."""


class NoSlot(Unusable):
    """All slots are taken."""


class Slot:
    """A replica's slot, held as long as its connection lives."""

    def __init__(self, number: int, address: str | None) -> None:
        self._number = number
        self._address = address

    @property
    def executor(self) -> str:
        """The engine's name for this replica."""
        return _executor(self._number)

    @property
    def is_first(self) -> bool:
        """Whether this is the replica that does at the start what only one may do."""
        return self._number == 0

    async def take_over_dead(self, take_over: Callable[[str], Awaitable[None]]) -> None:
        """Take over from the executors of dead replicas, while holding their slots."""
        if self._address is None:
            return
        async with await _connect(self._address) as connection:
            for number in range(SLOTS):
                if number != self._number and await _lock(connection, number):
                    await take_over(_executor(number))
                    await connection.execute("SELECT pg_advisory_unlock(%s, %s)", (CLASS, number))


def leave() -> None:
    """End this process at once: another replica may be carrying on its runs already."""
    log.critical("slot lost: the connection that held it is gone")
    os._exit(LOST)


@asynccontextmanager
async def taken(url: str, *, lost: Callable[[], None] = leave) -> AsyncIterator[Slot]:
    """Take the first free slot of this database; call `lost` if it is lost. Raises NoSlot."""
    if not url.startswith("postgresql"):
        yield Slot(0, None)
        return
    address = _address(url)
    async with await _connect(address) as connection:
        slot = Slot(await _first_free(connection), address)
        watch = asyncio.create_task(_watch(connection, lost), name="slot")
        try:
            yield slot
        finally:
            await let_end([watch], seconds=0)


async def held(url: str) -> int:
    """Count the replicas that run on this database."""
    path = sqlite_path(url)
    if path is not None:
        return int(is_locked(path))
    async with await _connect(_address(url)) as connection:
        cursor = await connection.execute(HELD, (CLASS,))
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


def _address(url: str) -> str:
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def _connect(address: str) -> Connection:
    """Connect so that each side soon notices that the other is gone."""
    connection = await psycopg.AsyncConnection.connect(
        address, autocommit=True, keepalives_idle=10, keepalives_interval=5, keepalives_count=3
    )
    for setting, value in (("idle", 10), ("interval", 5), ("count", 3)):
        await connection.execute(f"SET tcp_keepalives_{setting} = {value}".encode())
    return connection


async def _watch(connection: Connection, lost: Callable[[], None]) -> None:
    """Block until the connection drops: there are no notifications."""
    try:
        async for _ in connection.notifies():
            pass
    except psycopg.OperationalError:
        lost()


async def _first_free(connection: Connection) -> int:
    for number in range(SLOTS):
        if await _lock(connection, number):
            return number
    raise NoSlot(f"{SLOTS} replicas are running already.")


async def _lock(connection: Connection, number: int) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (CLASS, number))
    row = await cursor.fetchone()
    return bool(row and row[0])


def _executor(number: int) -> str:
    return f"slot-{number}"
