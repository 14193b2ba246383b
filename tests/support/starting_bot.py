"""A bot that starts as a process, with all that it logs."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bot.playground.stage import Stage
from tests.support.http_endpoint import HttpEndpoint

STOP_SECONDS = 2.0


SECONDS = 40.0


class Starting:
    """A bot that begins, with all that it logs."""

    def __init__(self, process: Process, stage: Stage) -> None:
        self.process = process
        self._file = stage.folder / "serve.log"

    @property
    def log(self) -> str:
        return self._file.read_text("utf-8")

    async def says(self, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while words not in self.log:
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.02)  # a file wakes nobody

    async def ended(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def stop(self) -> float:
        """Ask it to end; return the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert await self.ended() == 0, self.log
        return time.monotonic() - began


@asynccontextmanager
async def starting(stage: Stage, environment: dict[str, str]) -> AsyncIterator[Starting]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with (stage.folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"),
            stdout=DEVNULL,
            stderr=log,
            cwd=stage.folder,
            env={**kept, **environment},
        )
    try:
        yield Starting(process, stage)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listens(door: HttpEndpoint, bot: Starting) -> None:
    """Wait until somebody answers at the port."""
    async with asyncio.timeout(SECONDS):
        while bot.process.returncode is None:
            try:
                await door.ask("/healthz")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)  # nobody there yet, and nothing to wait on
            else:
                return
    raise AssertionError(bot.log)
