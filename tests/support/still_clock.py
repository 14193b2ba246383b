"""A clock that stands still, so that a test sees the same moments in every run."""

from datetime import datetime, timedelta

from bot.playground.clock import MovableClock
from tests.support.factories import NOON


class StillClock(MovableClock):
    """Moves only when somebody moves it, and a tick whenever somebody looks."""

    def __init__(self, *, tick: timedelta = timedelta(0)) -> None:
        super().__init__()
        self._tick = tick
        self.at = NOON

    def now(self) -> datetime:
        self.at += self._tick
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by
