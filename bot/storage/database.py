"""The database: opened, migrated, guarded, and one way to talk to it: `transaction()`.

SQLite is one process with its file locked; PostgreSQL serves replicas. A transaction must never
span an await of anything but the database.
"""

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).with_name("migrations")


class AlreadyRunning(Exception):
    """Another process holds this SQLite database."""


class Database:
    """An engine and its transactions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commit everything done inside, or nothing."""
        async with self._engine.begin() as tx:
            yield tx

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Lock (SQLite), connect and migrate; close at the end. Raises AlreadyRunning."""
    with locked(sqlite_path(url)):
        engine = create_async_engine(url, hide_parameters=True, **_pool(url))
        if engine.dialect.name == "sqlite":
            _teach_sqlite(engine)
        try:
            async with engine.begin() as tx:
                await tx.run_sync(_migrate)
            yield Database(engine)
        finally:
            await engine.dispose()


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite address, or None for a server's."""
    parsed = sa.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold `path`.lock while inside, so that a second process refuses to start."""
    if path is None:
        yield
        return
    with path.with_name(path.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"Another process is using {path}. Stop it first.") from None
        yield


def _pool(url: str) -> dict[str, Any]:
    # One writer at a time is SQLite's own rule; readers beside it profit from WAL.
    return {"pool_size": 4, "max_overflow": 4} if url.startswith("sqlite") else {"pool_size": 8}


def _teach_sqlite(engine: AsyncEngine) -> None:
    """WAL, safe writes, foreign keys, and transactions that take the write lock at once."""

    def connected(connection: Any, _: Any) -> None:
        # Without this the driver begins transactions behind our back, and late.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "busy_timeout=10000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: sa.Connection) -> None:
        # A deferred transaction that turns into a writer late fails at once when it lost the race.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sa.event.listen(engine.sync_engine, "connect", connected)
    sa.event.listen(engine.sync_engine, "begin", begun)


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
