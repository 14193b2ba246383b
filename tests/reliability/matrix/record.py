"""What the bot has written down: the registration, its failure, and what it still owes."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from bot.playground.stage import Stage

Json = dict[str, Any]


def registration(stage: Stage) -> Json:
    """Return status and failure of the only registration there is, or nothing yet."""
    found = _read(stage, "SELECT id, status, failure FROM registrations")
    if not found:
        return {"id": None, "status": None, "failure": None}
    [(id, status, failure)] = found
    return {"id": id, "status": status, "failure": failure and json.loads(failure)}


def is_swept(stage: Stage) -> bool:
    """Whether no run is at work, and no sweep is due by now."""
    # In one statement: between two of them the sweep that was due may have become a run.
    [(working, due)] = _read(
        stage,
        "SELECT (SELECT count(*) FROM runs WHERE ended_at IS NULL),"
        " (SELECT min(at) FROM dues WHERE kind = 'sweep')",
    )
    return not working and (due is None or _moment(due) > stage.clock.now())


def sealed_keys(stage: Stage) -> set[str]:
    """Return the key ids of the secrets that the vault holds."""
    query = "SELECT key_id FROM secrets WHERE state = 'sealed' AND removed_because IS NULL"
    return {key for (key,) in _read(stage, query)}


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at).replace(tzinfo=UTC)


def _read(stage: Stage, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(stage.folder / "aad-setup.db")) as database:
        return database.execute(query).fetchall()
