"""Transports from Slack to the listeners: Socket Mode, or signed HTTP requests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from bot.problems import Unusable

REST_SECONDS = 5.0
"""How long a stop waits for running listeners. `serve` ends the process before that."""


class CannotListen(Unusable):
    """The transport cannot start."""


class Transport(Protocol):
    """The interface of both transports."""

    async def start(self) -> None:
        """Accept deliveries of Slack from now on. Raises CannotListen."""

    async def is_up(self) -> bool:
        """Whether Slack can deliver right now."""

    async def stop(self) -> None:
        """Take nothing more; return when running listeners have answered, or have had their time.

        Whatever comes meanwhile is not acknowledged: Slack delivers events again, and tells people
        that their click or command failed.
        """


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
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        return self._running
