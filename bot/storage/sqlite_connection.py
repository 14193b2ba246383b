"""A SQLite connection that needs one trip to aiosqlite's thread for a statement.

SQLAlchemy asks aiosqlite for a cursor, a statement, its rows and an end: four trips, which take
most of the time of a small statement. Here a cursor comes with its rows.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite


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
