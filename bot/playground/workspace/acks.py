"""How long the app took to acknowledge: real seconds, whatever the clock says."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One delivery: slash_commands, interactive or events_api, and how long its ack took.

    What was not acknowledged in time is there, too, with the time that was waited.
    """

    kind: str
    seconds: float


class Acks:
    """Times every delivery, the first try and each retry."""

    def __init__(self) -> None:
        self.all: list[Taken] = []

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.all.append(Taken(kind=kind, seconds=time.perf_counter() - began))
