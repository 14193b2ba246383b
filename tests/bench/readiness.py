"""Where benchmarks run, and when a registration is READY for whoever reads the database: after the
commit, not before.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path

import trustme

from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing

QUERY = "SELECT count(*) FROM registrations WHERE status = 'ready' AND id IN ({})"
LOOK_EVERY_SECONDS = 0.001
TRIES = 60_000


@asynccontextmanager
async def bench_stage(*, eager: bool = False) -> AsyncIterator[Stage]:
    """Run both simulators while inside, in a folder of their own; an eager clock jumps."""
    with tempfile.TemporaryDirectory() as folder:
        clock = MovableClock(eager=eager)
        async with standing(folder=Path(folder), clock=clock, ca=trustme.CA()) as stage:
            yield stage


async def seen_ready(stage: Stage, *ids: str) -> datetime:
    """Wait until a reader of the bot's database sees all READY, and return when that was."""
    query = QUERY.format(", ".join("?" * len(ids)))
    with closing(sqlite3.connect(path_of(stage))) as database:
        for _ in range(TRIES):
            if database.execute(query, ids).fetchone() == (len(ids),):
                return stage.clock.now()
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise TimeoutError(ids)


def path_of(stage: Stage) -> Path:
    return stage.folder / "aad-setup.db"
