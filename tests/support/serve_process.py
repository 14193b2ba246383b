"""The bot as people start it, `aad-setup serve`, a process of its own, with all that it logs."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.fork_server import Forked, run
from tests.support.http_endpoint import HttpEndpoint

SECONDS = 60.0
"""How long it may take to begin or to end, on a machine that stalls."""
STOP_SECONDS = 2.0 + 2.0
"""What is promised, and what a busy machine may add: other waits take five seconds and more."""
COLD = (sys.executable, "-m", "bot", "serve")
"""A new interpreter, for what happens while it imports the program, and for what it costs."""


class Served:
    """A bot that begins, and all that it has logged since."""

    def __init__(self, process: Process | Forked, log: Path, since: int) -> None:
        self.process = process
        self._file = log
        self._since = since

    @property
    def log(self) -> str:
        return self._file.read_bytes()[self._since :].decode()

    async def says(self, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while words not in self.log:
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.02)  # a file wakes nobody

    async def listens(self, door: HttpEndpoint) -> None:
        """Wait until somebody answers at the port."""
        async with asyncio.timeout(SECONDS):
            while self.process.returncode is None:
                try:
                    await door.ask("/healthz")
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.02)  # nobody there yet, and nothing to wait on
                else:
                    return
        raise AssertionError(self.log)

    def memory(self, what: str) -> int:
        """Return a number of Linux's /proc/…/status, such as VmRSS, in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1000 for line in lines if line.startswith(what + ":"))

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> float:
        """Ask it to end; return the seconds that took."""
        began = time.monotonic()
        self.terminate()
        assert await self.ended() == 0, self.log
        return time.monotonic() - began

    async def ended(self) -> int:
        """Return its exit status."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def starting(
    environ: Mapping[str, str], folder: Path, program: Sequence[str] = ()
) -> AsyncIterator[Served]:
    """Start it in a folder where no `.env` is; kill it at the end if it is still there."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    environ, log = {**kept, **environ}, folder / "serve.log"
    log.touch()
    since = log.stat().st_size
    process: Process | Forked
    if program:
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *program, stdout=DEVNULL, stderr=file, cwd=folder, env=environ
            )
    else:
        process = Forked(run, ("serve",), environ, folder, Path(os.devnull), log)
    try:
        yield Served(process, log, since)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def served(
    environ: Mapping[str, str],
    door: HttpEndpoint,
    *,
    folder: Path,
    program: Sequence[str] = (),
    **more: str,
) -> AsyncIterator[Served]:
    """Start it, and wait until it is ready."""
    async with starting({**environ, **more}, folder, program) as bot:
        await door.until_ready(bot.process)
        yield bot
