"""Queue: which stale message is shown first when Slack does not take all of them now.

Pure but for what it remembers: since when each has waited.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

from bot.domain.registration import Status
from bot.storage.messages import Message, MessageKind, Stale

PATIENCE = timedelta(minutes=5)
"""Whoever has waited so long waits behind nobody who came later, whatever it is."""
REMEMBERED = 5000
"""Of how many messages it is remembered which final state they show."""


class Priority(IntEnum):
    """What comes first has the smaller number."""

    MASK = 0  # a secret stands on a screen
    FINAL = 1  # how it ended, or a message that somebody waits for
    TOUCHED = 2  # somebody has just done something
    PROGRESS = 3  # one step more


class PriorityQueue:
    """Puts stale messages in order: by urgency, and of equals whoever has waited longest.

    Of final states those of cards in the channel come first: requesters get a new message, too.
    """

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._shows: dict[str, Status] = {}
        """By message: the final state that it shows already."""

    def ordered(
        self, stale: Sequence[Stale], now: datetime, *, under_way: Iterable[str] = ()
    ) -> list[tuple[Priority, Stale]]:
        """Return all of them in order. Forget those that neither wait nor are under way."""
        waiting = (it.message.id for it in stale)
        self._since = {id: self._since.get(id, now) for id in (*waiting, *under_way)}
        found = [(self._urgency(it, now), it) for it in stale]
        return sorted(found, key=lambda pair: (pair[0], *self._rank(pair[1].message, now)))

    def shown(self, message: str, status: Status) -> None:
        """Note that a message shows this final state: what follows is only one change more."""
        self._since.pop(message, None)
        if len(self._shows) >= REMEMBERED:
            self._shows.clear()
        self._shows[message] = status

    def _urgency(self, it: Stale, now: datetime) -> Priority:
        message = it.message
        if message.kind is MessageKind.MASK:
            return Priority.MASK
        is_news = it.is_final and self._shows.get(message.id) is not it.status
        is_awaited = message.ts is None and message.kind is not MessageKind.PROGRESS
        if is_news or is_awaited or self._is_out_of_patience(message, now):
            return Priority.FINAL
        return Priority.TOUCHED if message.shown_at is None else Priority.PROGRESS

    def _rank(self, message: Message, now: datetime) -> tuple[bool, datetime]:
        is_second = message.kind is MessageKind.PROGRESS and message.ts is not None
        is_patient = not self._is_out_of_patience(message, now)
        return is_second and is_patient, self._since[message.id]

    def _is_out_of_patience(self, message: Message, now: datetime) -> bool:
        return now - self._since[message.id] >= PATIENCE
