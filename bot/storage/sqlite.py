"""What only SQLite needs: a connection that is fast, and an empty write-ahead log.

SQLAlchemy asks aiosqlite for a cursor, a statement, its rows and an end: four trips to its thread,
which take most of the time of a small statement. Here a cursor comes with its rows.

A sealed secret that left the database must leave the write-ahead log, too, which keeps older
versions of pages. The log is copied into the database and truncated beside other transactions; a
reader of an older moment delays that.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, suppress
from pathlib import Path
from typing import Any, Self

import aiosqlite
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = structlog.get_logger()


class Cursor:
    """As SQLAlchemy uses a cursor: one statement, then its rows."""

    def __init__(self, connection: "Connection") -> None:
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._rows: list[Any] = []
        self._connection = connection

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        return await self._take(lambda connection: connection.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        return await self._take(lambda connection: connection.executemany(sql, parameters))

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """Do nothing: SQLite's own cursor was closed as soon as its rows were read."""

    async def _take(self, act: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> Self:
        await self._connection.in_thread(lambda connection: self._keep(act(connection)))
        return self

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        cursor.close()


class Connection(aiosqlite.Connection):
    """aiosqlite's connection with the cursors above."""

    def cursor(self) -> Cursor:  # type: ignore[override] # SQLAlchemy asks a cursor for no more
        return Cursor(self)

    async def in_thread(self, act: Callable[[sqlite3.Connection], None]) -> None:
        """Do something with SQLite's own connection, in the thread that owns it."""
        await self._execute(lambda: act(self._conn))  # type: ignore[no-untyped-call] # left untyped


def connect(path: str, **options: Any) -> Connection:
    """Return a connection to await, as `aiosqlite.connect` does."""
    connection = Connection(lambda: sqlite3.connect(path, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy does: a stuck one must not keep the process
    return connection


def teach(engine: AsyncEngine, *, begin: str, query_only: str) -> None:
    """Set up WAL, safe writes, foreign keys, overwriting of deleted data, and our own BEGIN."""

    def connected(connection: Any, _: Any) -> None:
        # Without this the driver begins transactions by itself, and late.
        connection.isolation_level = None
        # A damaged text is shown as such; an error would hide all other rows of its query.
        connection.driver_connection.text_factory = lambda text: text.decode(errors="replace")
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=10000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            f"query_only={query_only}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    sa.event.listen(engine.sync_engine, "connect", connected)
    sa.event.listen(engine.sync_engine, "begin", lambda it: it.exec_driver_sql(begin))


LEFT = "wal cleanup"
"""The mark on a connection whose transaction removes a sealed value."""
PAUSES = (0.05, 0.1, 0.2, 0.5, *[1.0] * 10, *[5.0] * 10)
"""Real seconds between tries: readers take milliseconds. After a minute the next commit tries."""


def request_cleanup(tx: AsyncConnection) -> None:
    """Note that this transaction removes something that was sealed."""
    tx.info[LEFT] = True


class WalCleanup:
    """Empties the write-ahead log of a SQLite file whenever something has to leave it."""

    def __init__(
        self,
        path: Path | None,
        turn: AbstractAsyncContextManager[Any],
        *,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        """`turn` lets one writer in at a time. A server's database has no `path`."""
        self._path = path
        self._turn = turn
        self._pauses = pauses
        self._is_owed = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # The engine cancels what waits in the loop's own pool when it stops.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wal-cleanup")

    def committed(self, *, leaves: bool) -> None:
        """Begin to empty the log if this commit leaves something in it, or an earlier one did."""
        self._is_owed |= leaves and self._path is not None
        is_at_work = self._task is not None and not self._task.done()
        if self._is_owed and not is_at_work and not self._stopping.is_set():
            self._task = asyncio.create_task(self._empty(), name="wal cleanup")

    async def stop(self) -> None:
        """Let the present try end. The last connection that closes empties the log as well."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=False)

    async def _empty(self) -> None:
        for pause in self._pauses:
            self._is_owed = False  # a commit from here on needs another try
            async with self._turn:
                loop = asyncio.get_running_loop()
                is_empty = await loop.run_in_executor(self._thread, _emptied, self._path)
            self._is_owed |= not is_empty
            if not self._is_owed or self._stopping.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
        log.warning("write-ahead log not emptied, because something reads an older state")


def _emptied(path: Path | None) -> bool:
    """Copy the log into the database and truncate it, unless a reader is in the way."""
    assert path is not None
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
    return not is_busy
