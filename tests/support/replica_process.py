"""A replica of the bot, in a process of its own, which says which slot it has as soon as Slack is
connected, and stops politely at SIGTERM.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bot import app, logs
from bot.settings.settings import Settings
from graph.clock import SystemClock
from tests.support.fork_server import SECONDS, Forked, child, told

LOOK_EVERY = 0.1
REPLICAS_EVERY = 0.5


@dataclass(frozen=True, kw_only=True)
class Replica:
    """Another process that carries the bot."""

    process: Forked
    slot: str

    async def kill(self) -> None:
        """Let it die on the spot: kill -9."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        """Ask it politely to end, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def living(environ: Mapping[str, str], log: Path) -> AsyncIterator[Replica]:
    """Start a replica; kill it at the end if it is still there."""
    async with child(_live, environ, log) as (process, connection):
        yield Replica(process=process, slot=await told(by=connection))


def _live(environ: Mapping[str, str], log: Path, tell: Connection) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    settings = Settings.read(environ)
    logs.set_up(settings.log_level)
    asyncio.run(_serve(settings, tell))


async def _serve(settings: Settings, tell: Connection) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with app.running(
        settings,
        SystemClock(),
        intervals=app.Intervals(storage=LOOK_EVERY, replicas=REPLICAS_EVERY),
    ) as running:
        tell.send(running.services.executor)
        await stop.wait()
