"""When a registration is READY for whoever reads the database: after the commit, not before."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bot.playground.stage import Stage

QUERY = "SELECT 1 FROM registrations WHERE id = ? AND status = 'ready'"
LOOK_EVERY_SECONDS = 0.001
LONGEST_SECONDS = 60.0


async def seen_ready(stage: Stage, id: str) -> datetime:
    """Wait until a reader of the bot's database sees READY, and return when that was."""
    with closing(sqlite3.connect(path_of(stage))) as database:
        async with asyncio.timeout(LONGEST_SECONDS):
            while database.execute(QUERY, (id,)).fetchone() is None:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
    return stage.clock.now()


def path_of(stage: Stage) -> Path:
    return stage.folder / "aad-setup.db"
