"""Lives: starts the victim on a stage, kills it, starts it again on the same databases."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from bot.playground.stage import Stage
from tests.support import crash_process
from tests.support.crash_process import Death
from tests.support.fork_server import Forked

SECONDS = 60.0
"""How long a life may take to begin or to end, on a machine that stalls."""

LAST_LINES = 40

T = TypeVar("T")


class Lost(AssertionError):
    """The victim ended, and neither the test nor its death had said that it should."""


class CrashRunner:
    """One bot, again and again."""

    def __init__(self, stage: Stage, **changes: str) -> None:
        self.deaths = 0
        self._stage = stage
        self._changes = changes
        self._process: Forked | None = None
        self._is_doomed = False
        self._lost: Lost | None = None
        self._born_at = 0

    @property
    def log(self) -> Path:
        return self._stage.folder / "crash_process.log"

    @property
    def dead(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def begin(self, death: Death | None = None, *, later: timedelta = timedelta(0)) -> None:
        """Start the bot, so much later, and return when Slack is connected or it has died."""
        assert self.dead
        self._stage.clock.move(later)
        environ = self._stage.environ(**self._changes)
        offset = self._stage.clock.now() - datetime.now(UTC)
        greeted = self._hellos()
        self._is_doomed = death is not None
        self._born_at = self.log.stat().st_size if self.log.exists() else 0
        self._process = Forked(
            crash_process.live, environ, offset, death, self.log, ended=self._buried
        )
        await self.until(lambda: self.dead or self._hellos() > greeted)

    async def kill(self) -> None:
        """Let it die on the spot: kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """Ask it politely to end, and return its exit code."""
        return await self._end(signal.SIGTERM)

    async def restart(self, death: Death | None = None, *, later: timedelta = timedelta(0)) -> None:
        """Ask it politely to end, if it runs, and start it again."""
        if not self.dead:
            assert await self.stop() == 0
        await self.begin(death, later=later)

    async def until_dead(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(SECONDS):
            await self._process.wait()

    async def until(self, predicate: Callable[[], T], timeout: float = SECONDS) -> T:  # noqa: ASYNC109 - as the workspace's own
        """Wait for a predicate. Raises Lost as soon as the victim has ended unexpectedly."""

        def look() -> T:
            self.check()
            return predicate()

        return await self._stage.workspace.until(look, timeout=timeout)

    def check(self) -> None:
        """Raise Lost, with what the victim said last, if it has ended unexpectedly."""
        if self._lost is not None:
            raise self._lost

    async def _end(self, number: signal.Signals) -> int | None:
        process = self._process
        assert process is not None
        self._is_doomed = True
        process.send_signal(number)
        await self.until_dead()
        return process.returncode

    def _hellos(self) -> int:
        return sum(entry.what == "hello" for entry in self._stage.workspace.log)

    def _buried(self) -> None:
        process = self._process
        assert process is not None
        self.deaths += process.returncode == -signal.SIGKILL
        if not self._is_doomed or process.returncode not in (0, -signal.SIGKILL):
            self._lost = Lost(f"The victim ended with {process.returncode}.\n{self._last_words()}")
        self._stage.workspace.changed()

    def _last_words(self) -> str:
        said = self.log.read_bytes()[self._born_at :].decode(errors="replace")
        return "\n".join(said.splitlines()[-LAST_LINES:])


@asynccontextmanager
async def living(stage: Stage, **changes: str) -> AsyncIterator[CrashRunner]:
    """Whatever is alive at the end of a story is killed; what ended unexpectedly fails it."""
    lives = CrashRunner(stage, **changes)
    try:
        yield lives
    finally:
        if not lives.dead:
            await lives.kill()
    lives.check()
