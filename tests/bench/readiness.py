"""When a registration is READY for whoever reads the database: after the commit, not before."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bot.playground.stage import Stage

QUERY = "SELECT 1 FROM registrations WHERE id = ? AND status = 'ready'"
LOOK_EVERY_SECONDS = 0.001
TRIES = 60_000


async def seen_ready(stage: Stage, id: str) -> datetime:
    """Wait until a reader of the bot's database sees READY, and return when that was."""
    with closing(sqlite3.connect(path_of(stage))) as database:
        for _ in range(TRIES):
            if database.execute(QUERY, (id,)).fetchone():
                return stage.clock.now()
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise TimeoutError(id)


def path_of(stage: Stage) -> Path:
    return stage.folder / "aad-setup.db"
