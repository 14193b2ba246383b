"""The event log: every API call, delivery, message version and complaint, in order.

Tests read it to prove what never happened: a secret in a message that Slack keeps, a second card.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.playground.workspace.wire import Json
from graph.clock import Clock


class Kind(StrEnum):
    CALL = "call"  # a Web API method
    HOOK = "hook"  # a post to a response_url
    DELIVERY = "delivery"  # a command, click, submission or event for the app
    MESSAGE = "message"  # one version of a message that Slack keeps
    EPHEMERAL = "ephemeral"  # one version of a message that it does not keep
    VIEW = "view"  # one version of a modal or home
    COMPLAINT = "complaint"  # what the app got wrong and no answer could tell it


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. `what` is a method, payload type or id, depending on the kind."""

    at: datetime
    kind: Kind
    what: str
    sent: Json = field(default_factory=dict)
    answer: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return {**asdict(self), "at": self.at.isoformat()}


class Record:
    """The log itself; adding to it is a change that wakes whoever waits."""

    def __init__(self, clock: Clock, tell: Callable[[], None]) -> None:
        self.entries: list[Entry] = []
        self._clock = clock
        self._tell = tell

    def add(self, kind: Kind, what: str, sent: Json, answer: Json | None = None) -> None:
        entry = Entry(at=self._clock.now(), kind=kind, what=what, sent=sent, answer=answer or {})
        self.entries.append(entry)
        self._tell()

    def complain(self, what: str, **details: Any) -> None:
        self.add(Kind.COMPLAINT, what, details)

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is kind]
