"""SQLite: an old one that Python was built with works, or is named; statements take one trip."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bot.storage.database import OLDEST_SQLITE, too_old
from bot.storage.sqlite import Connection, Cursor
from bot.worker.engine import _config


def test_the_engine_knows_what_time_it_is_whatever_sqlite_knows(tmp_path: Path) -> None:
    """Before 3.42 `unixepoch('subsec')`, which DBOS asks for on Python 3.12, was NULL."""
    config = _config(f"sqlite:///{tmp_path}/engine.db", "slot-0")
    options = config["db_engine_kwargs"]
    assert options is not None
    engine = sa.create_engine(config["system_database_url"] or "", **options)
    with engine.begin() as connection:
        for sql in (
            "CREATE TABLE v (at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))",
            "INSERT INTO v DEFAULT VALUES",
        ):
            connection.exec_driver_sql(sql)
        told = connection.exec_driver_sql("SELECT at, strftime('%s', 'now') FROM v").one()
    engine.dispose()
    assert abs(int(told[0]) / 1000 - int(told[1])) < 60


def test_a_sqlite_that_is_too_old_is_named() -> None:
    url = "sqlite+aiosqlite:///here.db"
    assert too_old(url) is None
    assert too_old(url, version=OLDEST_SQLITE) is None
    assert too_old("postgresql+psycopg://db/aad", version=(3, 7, 17)) is None
    said = too_old(url, version=(3, 34, 1)) or ""
    assert "this Python has SQLite 3.34.1, and 3.35 or newer is needed" in said


class Counted(Connection):
    """Counts the trips to the thread."""

    trips = 0

    async def in_thread(self, act: Callable[[sqlite3.Connection], None]) -> None:
        self.trips += 1
        await super().in_thread(act)


async def test_a_statement_and_its_rows_take_one_trip_to_the_thread(tmp_path: Path) -> None:
    connection = Counted(lambda: sqlite3.connect(tmp_path / "trips.db"), 64)
    async with connection:
        cursor = Cursor(connection)
        await cursor.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        assert not cursor.description
        await cursor.executemany("INSERT INTO t (b) VALUES (?)", [("x",), ("y",)])
        assert cursor.rowcount == 2
        await cursor.execute("SELECT a, b FROM t WHERE b > ? ORDER BY a", ("w",))
        assert await cursor.fetchall() == [(1, "x"), (2, "y")]
        assert [each[0] for each in cursor.description] == ["a", "b"]
        await cursor.close()
        assert connection.trips == 3
