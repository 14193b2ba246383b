"""Served: the bot as people start it, `aad-setup serve`, a process of its own."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.http_endpoint import HttpEndpoint

SECONDS = 30.0
"""How long it may take to begin or to end."""


class Served:
    """A bot that is ready."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def memory(self, what: str) -> int:
        """Return a number of Linux's /proc/…/status, such as VmRSS, in MB."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1000 for line in lines if line.startswith(what + ":"))

    async def stop(self) -> float:
        """Ask it to end; return the seconds that took."""
        began = time.monotonic()
        self.terminate()
        assert await self.ended() == 0
        return time.monotonic() - began

    async def ended(self) -> int:
        """Return its exit status."""
        async with asyncio.timeout(SECONDS):
            return await self._process.wait()


@asynccontextmanager
async def served(
    environ: dict[str, str],
    door: HttpEndpoint,
    *,
    folder: Path,
    program: Sequence[str] = (sys.executable, "-m", "bot", "serve"),
    **more: str,
) -> AsyncIterator[Served]:
    """Start it, and wait until it is ready; kill it at the end if it is still there."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with (folder / "serve.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *program,
            stdout=DEVNULL,
            stderr=log,
            cwd=folder,  # where no `.env` is
            env={**kept, **environ, **more},
        )
    try:
        await door.until_ready(process)
        yield Served(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
