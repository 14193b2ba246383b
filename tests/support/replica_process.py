"""A replica of the bot, in a process of its own, which says which slot it has as soon as Slack is
connected, and stops politely at SIGTERM.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bot import app, logs
from bot.settings.settings import Settings
from graph.clock import SystemClock
from tests.support.fork_server import SECONDS, Forked, child, told, until_sigterm, write_to

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
    write_to(log, 2)
    settings = Settings.read(environ)
    logs.set_up(settings.log_level)
    intervals = app.Intervals(storage=LOOK_EVERY, replicas=REPLICAS_EVERY)
    replica = app.running(settings, SystemClock(), intervals=intervals)
    asyncio.run(until_sigterm(replica, lambda bot: tell.send(bot.services.executor)))
