"""WAL cleanup: a sealed secret that left the database must leave SQLite's write-ahead log, too.

The log keeps older versions of pages. It is copied into the database and truncated beside other
transactions; a reader of an older moment delays that.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger()

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
