"""What a load run has come to: read from the workspace's log and from the bot's own history."""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.playground.workspace import Workspace

UPDATE = "chat.update"
GRACE = timedelta(seconds=2)
"""An update that was on its way when a state became final overtakes nothing."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An update of a registration's message, as Slack took it."""

    at: datetime
    ts: str
    id: str
    is_final: bool


def updates(workspace: Workspace) -> Sequence[Shown]:
    """Return every update that was let through."""
    return [
        Shown(
            at=call.at,
            ts=call.sent["ts"],
            id=call.sent["text"].split()[0].rstrip(":"),
            is_final=is_ready(call.sent["text"]),
        )
        for call in workspace.calls(UPDATE)
        if call.answer["ok"]
    ]


def is_ready(text: str) -> bool:
    return "is ready" in text or "connector values" in text


def ready_at(folder: Path) -> Mapping[str, datetime]:
    """Return when the bot committed each READY."""
    with closing(sqlite3.connect(folder / "aad-setup.db")) as database:
        rows = database.execute("SELECT registration, at FROM history WHERE what = 'ready'")
        return {id: datetime.fromisoformat(at).replace(tzinfo=UTC) for id, at in rows}


def overtaken(shown: Sequence[Shown], ready: Mapping[str, datetime]) -> int:
    """Count updates on the way that were sent while some message waited for its final state."""
    owed: list[tuple[datetime, datetime]] = []
    for ts in {each.ts for each in shown}:
        mine = [each for each in shown if each.ts == ts]
        finals = [each.at for each in mine if each.is_final]
        if finals and mine[0].id in ready:
            owed.append((ready[mine[0].id] + GRACE, min(finals)))
    others = [each.at for each in shown if not each.is_final]
    return sum(any(begin < at < end for begin, end in owed) for at in others)


def doubles(workspace: Workspace, where: Iterable[str]) -> int:
    """Count messages posted more than once: equal kind, audience and registration."""
    posted: Counter[tuple[Any, ...]] = Counter()
    for name in where:
        for message in workspace.messages(name):
            first = workspace.versions(message)[0]
            posted[name, first["text"]] += 1
    return sum(count - 1 for count in posted.values())


def lost(workspace: Workspace, where: Iterable[str], ids: Iterable[str]) -> int:
    """Count messages in these places that do not show that their registration is ready."""
    wanted = set(ids)
    return sum(
        not is_ready(message["text"])
        for name in where
        for message in workspace.messages(name)
        if message["text"].split()[0].rstrip(":") in wanted
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that so large a share does not exceed."""
    found = sorted(values)
    return found[max(0, math.ceil(len(found) * share) - 1)] if found else math.nan
