"""Outages: wait for a service at the start, and report it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from graph.clock import Clock
from graph.retry import LONGEST_WAIT_SECONDS, exponential

T = TypeVar("T")

log = structlog.get_logger()


class Outage(Exception):
    """The service cannot be reached, or says that it is down or busy, for now.

    `why` holds codes only, because anybody may read it at `/readyz`; `advice` is for the log.
    """

    def __init__(self, why: str, *, advice: str = "", retry_after: float | None = None) -> None:
        self.why = why
        self.advice = advice
        self.retry_after = retry_after
        super().__init__(why)


class AwaitedService:
    """A service that has to answer once before the bot can use it."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self.tried = asyncio.Event()
        """Set once the first try has ended, by an answer or an outage."""
        self.answered = asyncio.Event()
        self.missing: str | None = f"{name} has not answered yet"
        """Why the service cannot be used, as one phrase; None once it has answered."""

    async def ask(self, once: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, and log each outage. Raise every other error at once."""
        tries = 0
        while True:
            try:
                found = await once()
            except Outage as outage:
                tries += 1
                self.missing = f"{self._name} cannot be used: {outage.why}"
                self.tried.set()
                # No jitter: one process asks one service, and a stop must not depend on luck.
                seconds = max(exponential(tries, LONGEST_WAIT_SECONDS), outage.retry_after or 0)
                said = {"why": outage.why, "again_in": round(seconds, 1)}
                if outage.advice:
                    said["advice"] = outage.advice
                log.warning("outage at the start", service=self._name, **said)
                await self._clock.sleep(seconds)
            else:
                self.missing = None
                self.answered.set()
                self.tried.set()
                if tries:
                    log.info("outage over", service=self._name, tries=tries)
                return found
