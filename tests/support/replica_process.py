"""A replica of the bot, in a process of its own: `python -m tests.support.replica_process` reads
its environment.

It says which slot it has as soon as Slack is connected, and stops politely at SIGTERM.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import app, logs
from bot.settings.settings import Settings
from graph.clock import SystemClock

LOOK_EVERY = 0.1
VIGIL_EVERY = 0.5
SECONDS = 30.0
"""How long a replica may take to begin or to end."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """Another process that carries the bot."""

    process: Process
    slot: str

    async def kill(self) -> None:
        """Let it die on the spot: kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it politely to end, and return its exit status."""
        return await self._end(signal.SIGTERM)

    async def ended(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def _end(self, number: signal.Signals) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()


@asynccontextmanager
async def living(environ: dict[str, str], log: Path) -> AsyncIterator[Replica]:
    """Start a replica; kill it at the end if it is still there."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.replica_process",
            stdout=PIPE,
            stderr=errors,
            env=_all(environ),
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            slot = (await process.stdout.readline()).decode().strip()
        assert slot, f"it did not start: see {log}"
        yield Replica(process=process, slot=slot)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _all(environ: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, **environ}


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with app.running(
        settings, SystemClock(), intervals=app.Intervals(storage=LOOK_EVERY, replicas=VIGIL_EVERY)
    ) as running:
        print(running.services.executor, flush=True)  # noqa: T201 - it is how the test hears of it
        await stop.wait()


if __name__ == "__main__":
    told = Settings.read(os.environ)
    logs.set_up(told.log_level)
    asyncio.run(_serve(told))
