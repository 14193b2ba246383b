"""Traffic: counts the deliveries that are being listened to, so that a stop can wait for them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """Counts in and out. A delivery is out when Slack has its answer: Bolt waits for neither."""

    def __init__(self) -> None:
        self.is_open = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def count(self) -> Iterator[None]:
        """Count one delivery while inside."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def drained(self, seconds: float) -> int:
        """Wait for running requests, for so many real seconds; return how many are left."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return self._running
        return 0
