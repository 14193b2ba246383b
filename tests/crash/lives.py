"""Lives: starts the victim on a stage, kills it, starts it again on the same databases.

Children are forked from a server that has imported the bot once, so that a life begins in a
fraction of a second. Each is a process of its own all the same.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from bot.playground.stage import Stage
from tests.crash import victim
from tests.crash.victim import Death

SECONDS = 20.0
"""How long a life may take to begin or to end."""

_births = multiprocessing.get_context("forkserver")
_births.set_forkserver_preload([victim.__name__])


class Lives:
    """One bot, again and again."""

    def __init__(self, stage: Stage, **changes: str) -> None:
        self.deaths = 0
        self._stage = stage
        self._changes = changes
        self._process: ForkServerProcess | None = None
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def log(self) -> Path:
        return self._stage.folder / "victim.log"

    @property
    def dead(self) -> bool:
        return self._ended.is_set()

    async def begin(self, death: Death | None = None, *, later: timedelta = timedelta(0)) -> None:
        """Start the bot, so much later, and return when Slack is connected or it has died."""
        assert self.dead
        self._stage.clock.move(later)
        environ = self._stage.environ(**self._changes)
        offset = self._stage.clock.now() - datetime.now(UTC)
        process = _births.Process(target=victim.live, args=(environ, offset, death, self.log))
        greeted = self._hellos()
        process.start()
        self._ended.clear()
        self._process = process
        asyncio.get_running_loop().add_reader(process.sentinel, self._buried)
        await self.until(lambda: self.dead or self._hellos() > greeted)

    async def kill(self) -> None:
        """Let it die on the spot: kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """Ask it politely to end, and return its exit code."""
        return await self._end(signal.SIGTERM)

    async def until_dead(self) -> None:
        async with asyncio.timeout(SECONDS):
            await self._ended.wait()

    async def until(self, predicate: Callable[[], bool]) -> None:
        await self._stage.workspace.until(predicate, timeout=SECONDS)

    async def _end(self, number: signal.Signals) -> int | None:
        process = self._process
        assert process is not None
        if not self.dead and process.pid is not None:
            with suppress(ProcessLookupError):  # it has just died by itself
                os.kill(process.pid, number)
        await self.until_dead()
        return process.exitcode

    def _hellos(self) -> int:
        return sum(entry.what == "hello" for entry in self._stage.workspace.log)

    def _buried(self) -> None:
        process = self._process
        assert process is not None
        asyncio.get_running_loop().remove_reader(process.sentinel)
        process.join()
        self.deaths += process.exitcode == -signal.SIGKILL
        self._ended.set()
        self._stage.workspace.changed()


@asynccontextmanager
async def living(stage: Stage, **changes: str) -> AsyncIterator[Lives]:
    """Whatever is alive at the end of a story is killed."""
    lives = Lives(stage, **changes)
    try:
        yield lives
    finally:
        if not lives.dead:
            await lives.kill()
