"""trigger_ids: the right to open one modal, within three seconds of what a person did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import ApiError
from graph.clock import Clock

LIFE = timedelta(seconds=3)
"""docs.slack.dev/surfaces/modals"""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    person: str
    view_id: str | None
    issued: datetime


class Triggers:
    """Issues trigger_ids and exchanges each once."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self._ids = ids
        self._clock = clock
        self._open: dict[str, Trigger] = {}
        self._used: set[str] = set()

    def issue(self, person: str, *, view_id: str | None = None) -> str:
        """Return a new trigger_id; `view_id` names the modal it came from, if it did."""
        id = self._ids.secret(f"{len(self._open)}.{len(self._used)}.")
        self._open[id] = Trigger(person=person, view_id=view_id, issued=self._clock.now())
        return id

    def exchange(self, id: object) -> Trigger:
        if id in self._used:
            raise ApiError("exchanged_trigger_id")
        trigger = self._open.get(id) if isinstance(id, str) else None
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if self._clock.now() - trigger.issued > LIFE:
            raise ApiError("expired_trigger_id")
        self._used.add(str(id))
        return trigger
