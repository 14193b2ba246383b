"""Attempts: who carries a run, so that it is known which runs a dead process takes along.

Before its body does anything, a run's row names the process; whoever takes over from that process
when it is dead counts an attempt that failed. A stop takes the name back, and is no attempt. Nor is
waiting for Entra, which could not kill a process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bot.storage import runs
from bot.storage.database import Database
from bot.worker.engine import Body
from bot.worker.loops import run_guarded
from graph.http import collecting_requests
from graph.retry import while_waiting


class Attempts:
    """Notes them for one process."""

    def __init__(self, database: Database, executor: str) -> None:
        self._database = database
        self._executor = executor
        self._is_stopping = False

    def counted(self, body: Body) -> Body:
        """Return the body, whose attempts then count."""

        async def attempt(id: str) -> None:
            if await self._set_carrier(id, self._executor, starts=True):
                while_waiting.set(partial(self._released, id))
                with collecting_requests():
                    await body(id)

        return attempt

    async def release(self) -> None:
        """Note before a stop that what is at work has done nothing wrong. Nothing else begins, and
        what asks whether to go on ends here. Safe to repeat.
        """
        self._is_stopping = True
        async with self._database.transaction() as tx:
            await runs.release(tx, self._executor)

    def go_on(self) -> None:
        """Raise CancelledError if the process stops: ended in any other way, it would be over."""
        if self._is_stopping:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def _released(self, id: str) -> AsyncIterator[None]:
        """Name nobody while one of the run's calls waits.

        A database that is restarted meanwhile ends no run: then only the count is not exact.
        """
        await run_guarded(f"run {id}", partial(self._set_carrier, id, None))
        yield
        await run_guarded(f"run {id}", partial(self._set_carrier, id, self._executor))

    async def _set_carrier(self, id: str, executor: str | None, *, starts: bool = False) -> bool:
        """Note who carries the run. False if it has ended."""
        async with self._database.transaction() as tx:
            if executor is not None:
                self.go_on()
            return await runs.set_carrier(tx, id, executor, starts=starts)
