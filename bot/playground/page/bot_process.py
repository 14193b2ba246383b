"""The bot as a process of its own: started, killed without warning, started again.

Its clock follows the stage's: each move is written to its standard input.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from bot.playground.bot import RUNNING
from bot.playground.clock import MovableClock
from bot.problems import Unusable

RESTART_SECONDS = 1.0
"""How long a bot that has died is missing, so that people see it."""
STOP_SECONDS = 5.0
"""How long it may take to end by itself; then it is killed."""
MOST_LINES = 20
"""Lines of its log that are quoted if it does not start."""
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONWARNINGS", "TMPDIR")
"""Settings of a real bot must not reach this one."""


class Status(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"


class BotProcess:
    """The bot's current process, and how often one had to be started again."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        folder: Path,
        clock: MovableClock,
        tell: Callable[[], None],
    ) -> None:
        """`tell` is called at each change of its status."""
        self.status = Status.STARTING
        self.restarts = 0
        self.log = folder / "bot.log"
        self.keeper: asyncio.Task[None] | None = None
        self._environ = {**environ, **_inherited()}
        self._clock = clock
        self._tell = tell
        self._process: Process | None = None
        self._known = timedelta(0)
        self._was_killed = False
        self._has_run = False
        self._changed = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def kill(self) -> bool:
        """Kill the process without warning. Return False if there is none."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._was_killed = True
        self._process.kill()
        return True

    def follow(self) -> None:
        """Let the bot's clock go as far ahead as the stage's does."""
        move = self._clock.offset - self._known
        if move and self._process and self._process.stdin:
            self._write(self._process, move)

    async def until(self, status: Status, *, seconds: float = 60.0) -> None:
        """Wait for a status, at most so many real seconds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.status is not status:
                await self._changed.wait()

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it has ended.

        Raises Unusable if the first one ends before people could use it.
        """
        while True:
            await self._run_once()
            if not self._has_run and not self._was_killed:
                raise Unusable(*self._last_lines())
            await asyncio.sleep(RESTART_SECONDS)
            self.restarts += 1

    async def fails_or(self, stop: asyncio.Event) -> None:
        """Wait until something else asks to stop. Raises Unusable if the bot does not start."""
        assert self.keeper is not None
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((stopped, self.keeper), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self.keeper.done():
            self.keeper.result()

    async def stop(self) -> None:
        """End the process, if there is one, and wait until it is gone."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _run_once(self) -> None:
        self._become(Status.STARTING)
        process = self._process = await self._started()
        assert process.stdout is not None
        self._known = timedelta(0)
        self._write(process, self._clock.offset)  # the first line, even if it is nought
        while line := await process.stdout.readline():
            if line == RUNNING:
                self._has_run = True
                self._become(Status.RUNNING)
        await process.wait()
        self._process = None
        self._become(Status.DOWN)

    async def _started(self) -> Process:
        """Start it in a session of its own: Ctrl-C is for the page, which ends it in good order."""
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "bot.playground.bot"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                cwd=self.log.parent,
                env=self._environ,
                start_new_session=True,
            )

    def _write(self, process: Process, move: timedelta) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{move.total_seconds()}\n".encode())
        self._known += move

    def _become(self, status: Status) -> None:
        self.status = status
        self._changed.set()
        self._changed = asyncio.Event()
        self._tell()

    def _last_lines(self) -> list[str]:
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return lines[-MOST_LINES:] or ["The bot has ended at once, without a word."]


@asynccontextmanager
async def kept_running(bot: BotProcess) -> AsyncIterator[None]:
    """Keep a bot running while inside. Enter at once: it needs a moment to start."""
    keeper = bot.keeper = asyncio.create_task(bot.keep_running(), name="bot process")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await bot.stop()


def _inherited() -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[3])}
