"""Recent answers of Slack: a bounded memory of what it said a few minutes ago.

Who somebody is, and who is in a group, can change at any time: nothing here is ever older than
`REMEMBERED`.
"""

from datetime import datetime, timedelta
from typing import Generic, TypeVar

from graph.clock import Clock

T = TypeVar("T")

REMEMBERED = timedelta(minutes=5)
MOST = 2000
"""How many answers are kept; the oldest make room."""


class Recent(Generic[T]):
    """Answers by what was asked for."""

    def __init__(self, clock: Clock, *, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._known: dict[str, tuple[datetime, T]] = {}

    def keep(self, id: str, answer: T, *, asked_at: datetime) -> None:
        """Remember this answer, as old as its question."""
        self._known.pop(id, None)
        self._known[id] = asked_at, answer  # at the end of the line
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def get(self, id: str) -> T | None:
        """Return what Slack said of this, unless that is too long ago."""
        if id not in self._known:
            return None
        asked_at, answer = self._known[id]
        return answer if self._clock.now() < asked_at + REMEMBERED else None
