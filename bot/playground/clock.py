"""A clock that can be moved: hours of lag, expiry and reminders pass without anybody waiting."""

import asyncio
from datetime import UTC, datetime, timedelta

GRACE_SECONDS = 0.01
"""Real time that others get to go to sleep before the clock jumps to the earliest sleeper."""


class MovableClock:
    """The machine's clock plus an offset, which `move` and (if eager) every sleeper push forward.

    An eager clock jumps to the earliest deadline as soon as a task sleeps, so that retries and
    replication lag of minutes take milliseconds. A clock that is not eager waits in real time
    until the deadline comes or it is moved.
    """

    def __init__(self, *, offset: timedelta = timedelta(0), eager: bool = False) -> None:
        self._offset = offset
        self._eager = eager
        self._deadlines: list[datetime] = []
        self._moved = asyncio.Event()

    @property
    def offset(self) -> timedelta:
        """How far it is ahead of the machine's clock."""
        return self._offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def move(self, by: timedelta) -> None:
        """Let time pass at once. Sleepers whose deadline that reaches wake up."""
        self._offset += by
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        deadline = self.now() + timedelta(seconds=seconds)
        self._deadlines.append(deadline)
        try:
            while (left := (deadline - self.now()).total_seconds()) > 0:
                await self._wait(left)
                self._jump()
        finally:
            self._deadlines.remove(deadline)

    async def _wait(self, left: float) -> None:
        moved = self._moved
        try:
            async with asyncio.timeout(min(left, GRACE_SECONDS) if self._eager else left):
                await moved.wait()
        except TimeoutError:
            return

    def _jump(self) -> None:
        if not self._eager:
            return
        left = min(self._deadlines) - self.now()
        if left > timedelta(0):
            self.move(left)
