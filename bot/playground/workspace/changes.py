"""Waiting for something to be true: looked at again at every change, never by polling."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NeverHappened(AssertionError):
    """What was waited for did not come true in time; the text shows what there was instead."""


class Changes:
    """Wakes everybody who waits whenever something in the workspace has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """The event that the next change sets. Take it before looking, else one may be missed."""
        return self._changed

    async def until(
        self, predicate: Callable[[], T], *, seconds: float, picture: Callable[[], str]
    ) -> T:
        """Return the predicate's first truthy value; after so many real seconds, give up."""
        try:
            async with asyncio.timeout(seconds):
                while not (value := predicate()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise NeverHappened(f"Not in {seconds:g} s. The workspace:\n{picture()}") from None
