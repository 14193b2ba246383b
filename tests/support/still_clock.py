"""A clock that stands still, so that a test sees the same moments in every run."""

import asyncio
from datetime import datetime, timedelta

from bot.playground.clock import MovableClock
from tests.support.factories import NOON


class StillClock(MovableClock):
    """Moves only when somebody moves it, and a tick whenever somebody looks.

    On an eager one whoever sleeps has slept at once: it is for callers who do so one by one.
    """

    def __init__(self, *, tick: timedelta = timedelta(0), eager: bool = False) -> None:
        super().__init__(eager=eager)
        self._tick = tick
        self.at = NOON

    def now(self) -> datetime:
        self.at += self._tick
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by
        super().move(by)

    async def sleep(self, seconds: float) -> None:
        if not self._eager:
            return await super().sleep(seconds)
        self.move(timedelta(seconds=max(seconds, 0)))
        return await asyncio.sleep(0)
