"""Time, as an argument: the bot reads the time from a Clock and waits with it."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The current time, and how to wait."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return when that many seconds have passed on this clock."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
