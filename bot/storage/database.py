"""The database: opened, migrated, guarded; `transaction()` writes, `reading()` looks.

SQLite is one process with its file locked; PostgreSQL serves replicas. A transaction must never
span an await of anything but the database.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.problems import Unusable
from bot.storage import history, messages, migrating, sqlite
from bot.storage.migrating import Age
from bot.storage.sqlite import WalCleanup
from bot.storage.vault import Vault
from bot.worker.loops import FREE_SPACE, is_disk_full

P = ParamSpec("P")
T = TypeVar("T")
Ask = Callable[Concatenate[AsyncConnection, P], Awaitable[T]]
"""A question to the database, or a change of it, in a transaction."""
log = structlog.get_logger()

PARTS = ("", "-wal", "-shm")
"""How the names of the files end that a SQLite database consists of."""

OLDEST_SQLITE = (3, 35)
"""The first with RETURNING: sqlite.org/lang_returning.html. The engine asks for no newer one."""
CLOSE_SECONDS = 5.0
"""Longer than any transaction takes that is not stuck."""


NO_TABLES = (
    "DATABASE_URL: its role may not make tables. As an administrator: GRANT CREATE ON SCHEMA public"
    " TO that role."
)


class AlreadyRunning(Unusable):
    """Another process holds this SQLite database."""


class UnusableDatabase(Unusable):
    """The database cannot be opened or migrated."""


class Database:
    """Transactions that write, and read-only transactions.

    `close` lets open ones end. A later one waits forever: the rest of a body that outlived its stop
    must not write beside the next process.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, *, path: Path | None = None
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._inside: list[asyncio.Task[Any] | None] = []
        self._is_closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        is_sqlite = writer.dialect.name == "sqlite"
        # SQLite lets one write and has the others poll, unfairly: here they stand in line instead.
        self._turn: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if is_sqlite else nullcontext()
        )
        self._wal_cleanup = WalCleanup(path, self._turn)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commit everything done inside, or nothing."""
        async with self._entered():
            async with self._turn, self._writer.begin() as tx:
                history.take_changes(tx)  # of a transaction that was rolled back
                noted = tx.info  # of the connection, which outlives the transaction
                yield tx
                told = history.take_changes(tx)
            self.committed(leaves=noted.pop(sqlite.LEFT, False))
        history.write_to_log(told)

    def committed(self, *, leaves: bool) -> None:
        """Remove deleted sealed data from SQLite's log, too, in the background."""
        self._wal_cleanup.committed(leaves=leaves)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read the database beside writers. The database itself refuses to write here."""
        async with self._entered(), self._reader.begin() as tx:
            yield tx

    async def read(self, ask: Ask[P, T], *of: P.args, **by: P.kwargs) -> T:
        """Return the answer to one question, asked in a transaction of its own."""
        async with self.reading() as tx:
            return await ask(tx, *of, **by)

    async def write(self, act: Ask[P, T], *of: P.args, **by: P.kwargs) -> T:
        """Do one thing in a transaction of its own."""
        async with self.transaction() as tx:
            return await act(tx, *of, **by)

    async def close(self, *, seconds: float = CLOSE_SECONDS) -> None:
        """Accept no more transactions, wait for open ones for so many real seconds, disconnect.

        Stuck ones are cancelled: a connection given back later would never be closed.
        """
        self._is_closed = True
        await self._emptied(seconds)
        for task in self._inside:
            if task is not None:
                task.cancel()
        await self._emptied(seconds)
        try:
            await self._wal_cleanup.stop()  # which may wait behind a stuck one
        finally:
            await self._reader.dispose()
            await self._writer.dispose()

    @asynccontextmanager
    async def _entered(self) -> AsyncIterator[None]:
        if self._is_closed:
            await asyncio.get_running_loop().create_future()  # until the loop ends
        task = asyncio.current_task()
        self._inside.append(task)
        self._empty.clear()
        try:
            yield
        finally:
            self._inside.remove(task)
            if not self._inside:
                self._empty.set()

    async def _emptied(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()


@asynccontextmanager
async def opened(url: str, vault: Vault, approval_channel: str = "") -> AsyncIterator[Database]:
    """Lock (SQLite), connect, migrate; close at the end. The vault signs history. Without the
    channel no messages for approvers can be added.

    Raises AlreadyRunning or UnusableDatabase.
    """
    if problem := too_old(url):
        raise UnusableDatabase(problem)
    path = sqlite_path(url)
    with locked(path):
        if path is not None:
            make_private(path)
        writer, reader = _engines(url, vault, approval_channel)
        database = Database(writer, reader, path=path)
        try:
            await _prepare(writer)
            database.committed(leaves=True)  # the last process may have been killed before
            yield database
        finally:
            await database.close()


async def _prepare(writer: AsyncEngine) -> None:
    try:
        async with writer.begin() as tx:
            await tx.run_sync(_check_encoding)
            if problem := await tx.run_sync(migrating.migrate):
                raise UnusableDatabase(problem)
            await history.resign_heads(tx)
    except DBAPIError as error:
        if type(error.orig).__name__ == "InsufficientPrivilege":
            raise UnusableDatabase(NO_TABLES) from None
        if is_disk_full(error):
            raise UnusableDatabase(f"DATABASE_URL: the disk is full. {FREE_SPACE}") from None
        raise UnusableDatabase(
            f"DATABASE_URL: the database cannot be used ({type(error.orig).__name__})."
            " Check host, name, password and file."
        ) from None


@asynccontextmanager
async def beside(url: str, vault: Vault) -> AsyncIterator[Database]:
    """Open an existing database beside a running bot, read-only: no lock, no migration."""
    _, reader = _engines(url, vault, "")
    database = Database(reader, reader)
    try:
        yield database
    finally:
        await database.close()


async def age(tx: AsyncConnection) -> Age:
    """Compare the database's tables with those of this program.

    Raises UnusableDatabase if it cannot hold every name.
    """
    await tx.run_sync(_check_encoding)
    return await tx.run_sync(migrating.age)


def is_locked(path: Path) -> bool:
    """Whether a process uses this SQLite file. The lock itself is not taken from that process."""
    try:
        with path.with_name(path.name + ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite address, or None for a server's."""
    parsed = sa.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is one.

    SQLite gives its WAL and its index the mode of the database. If there can be no file, opening
    it says why.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))


def keep_private(url: str) -> None:
    """Let only the owner read a SQLite database: a copy keeps its file mode."""
    path = sqlite_path(url)
    for file in [] if path is None else [path.with_name(path.name + end) for end in PARTS]:
        with suppress(FileNotFoundError):
            file.chmod(0o600)


def too_old(url: str, *, version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str | None:
    """Return advice if Python was built with a SQLite that does not support RETURNING."""
    if sqlite_path(url) is None or version >= OLDEST_SQLITE:
        return None
    found, oldest = (".".join(map(str, each)) for each in (version, OLDEST_SQLITE))
    return (
        f"DATABASE_URL: this Python has SQLite {found}, and {oldest} or newer is needed. Use"
        " another Python, or PostgreSQL."
    )


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold `path`.lock while inside, so that a second process refuses to start."""
    if path is None:
        yield
        return
    name = path.with_name(path.name + ".lock")
    make_private(name)
    try:
        lock = name.open("w")
    except OSError:
        raise UnusableDatabase(
            f"DATABASE_URL: the folder {path.parent} does not exist or cannot be written."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"Another process is using {path}. Stop it first.") from None
        yield


def _engines(url: str, vault: Vault, channel: str) -> tuple[AsyncEngine, AsyncEngine]:
    """Return an engine that writes and one that cannot."""
    known = {history.VAULT: vault, messages.CHANNEL: channel}
    options: dict[str, Any] = {"hide_parameters": True, "execution_options": known}
    if sqlite_path(url) is None:
        # Firewalls and failovers cut connections that lie in the pool: each is tried before use.
        engine = create_async_engine(url, pool_size=8, pool_pre_ping=True, **options)
        # A read-only transaction sees one moment, however many statements it has.
        looking = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        return engine, engine.execution_options(**looking)
    # Every transaction ends by itself; another rollback at each return only costs time.
    options["pool_reset_on_return"] = None
    options["connect_args"] = {"async_creator_fn": sqlite.connect}
    writer = create_async_engine(url, pool_size=1, max_overflow=0, **options)
    # Readers above that wait: a connection made for a moment costs more than many queries. No
    # transaction opens another, so the pool cannot be exhausted by those who wait for it.
    reader = create_async_engine(url, pool_size=4, max_overflow=0, **options)
    # A deferred transaction that turns into a writer late fails at once when it lost the race.
    sqlite.teach(writer, begin="BEGIN IMMEDIATE", query_only="OFF")
    sqlite.teach(reader, begin="BEGIN", query_only="ON")
    return writer, reader


def _check_encoding(connection: sa.Connection) -> None:
    """Raise UnusableDatabase where some names cannot be stored, or come back as bytes.

    SQLite converts the text of its file.
    """
    if connection.dialect.name != "postgresql":
        return
    found = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if found not in ("UTF8", b"UTF8"):
        raise UnusableDatabase(
            "DATABASE_URL: the database's encoding is not UTF8. Make another with CREATE DATABASE"
            " … ENCODING 'UTF8' TEMPLATE template0."
        )
