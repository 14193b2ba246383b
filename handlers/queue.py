"""Queue: which stale message is shown first when Slack does not take all of them now.

Pure but for what it remembers: since when each has waited.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum

from bot.storage.messages import MessageKind, Stale

PATIENCE = timedelta(minutes=5)
"""Whoever has waited so long waits behind nobody who came later, whatever it is."""


class Urgency(IntEnum):
    """What comes first has the smaller number."""

    MASK = 0  # a secret stands on a screen
    FINAL = 1  # how it ended, or a message that somebody waits for
    TOUCHED = 2  # somebody has just done something
    PROGRESS = 3  # one step more


class Queue:
    """Puts stale messages in order: by urgency, and of equals whoever has waited longest."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def ordered(self, stale: Sequence[Stale], now: datetime) -> list[tuple[Urgency, Stale]]:
        """Return all of them in order. Those not named any more are forgotten."""
        self._since = {it.message.id: self._since.get(it.message.id, now) for it in stale}
        found = [(urgency(it, now - self._since[it.message.id]), it) for it in stale]
        return sorted(found, key=lambda pair: (pair[0], self._since[pair[1].message.id]))


def urgency(it: Stale, waited: timedelta) -> Urgency:
    """Return how urgent a message is that has waited so long."""
    message = it.message
    if message.kind is MessageKind.MASK:
        return Urgency.MASK
    is_awaited = message.ts is None and message.kind is not MessageKind.PROGRESS
    if it.is_final or is_awaited or waited >= PATIENCE:
        return Urgency.FINAL
    return Urgency.TOUCHED if message.shown_at is None else Urgency.PROGRESS
