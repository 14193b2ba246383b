"""The bot's database, as somebody could change it who has the file."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

from bot.playground.stage import Stage


async def changed(stage: Stage, statement: str, *values: str) -> None:
    """Carry out a statement that changes something.

    In a thread: it may wait for the bot's own transaction, which needs the loop to end.
    """
    await asyncio.to_thread(_changed, stage, statement, values)


def read(stage: Stage, query: str, *values: str) -> Any:
    """Return the first value that a query finds, or None."""
    return (rows(stage, query, *values) or [(None,)])[0][0]


def rows(stage: Stage, query: str, *values: str) -> list[tuple[Any, ...]]:
    path = stage.folder / "aad-setup.db"
    with closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute(query, values).fetchall()


def _changed(stage: Stage, statement: str, values: tuple[str, ...]) -> None:
    path = stage.folder / "aad-setup.db"
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        assert database.execute(statement, values).rowcount
