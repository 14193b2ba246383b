"""Bodies of unverified requests: read in time, within one budget for all.

Any client that reaches the port can send a body, and all of it is needed to check the signature.
"""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

LARGEST_BODY = 750_000
"""Bytes. Slack's largest payload comes with a view of 250 kB, the most that Slack takes; as a form
each byte of it takes three at most. docs.slack.dev/reference/views"""

UNVERIFIED_BYTES = 4 * 1024 * 1024
"""Of all bodies together: hundreds of clicks, which have about 20 kB each."""

READ_SECONDS = 3.0
"""How long a body may take to arrive: Slack waits no longer for its answer."""


class TooLarge(Exception):
    """The body is larger than any payload of Slack's."""


@dataclass(kw_only=True, eq=False)
class Bodies:
    """Reads bodies. If they exceed the budget together, the largest one is dropped: requests of
    Slack's are small, and come at once.
    """

    largest: int = LARGEST_BODY
    budget: int = UNVERIFIED_BYTES
    seconds: float = READ_SECONDS
    _held: dict[asyncio.Timeout, bytearray] = field(init=False, default_factory=dict, repr=False)

    def check_length(self, request: web.Request) -> None:
        """Check the length in the headers. Raises TooLarge."""
        if (request.content_length or 0) > self.largest:
            raise TooLarge

    async def read(self, request: web.Request) -> bytearray:
        """Return the body. Raises TooLarge, and TimeoutError for one that is too slow or had to
        make room.
        """
        body = bytearray()
        async with asyncio.timeout(self.seconds) as patience:
            self._held[patience] = body
            try:
                while piece := await request.content.readany():
                    body += piece
                    if len(body) > self.largest:
                        raise TooLarge
                    self._make_room()
            finally:
                self._held.pop(patience, None)
        return body

    def _make_room(self) -> None:
        held = {it: len(body) for it, body in self._held.items()}
        over = sum(held.values()) - self.budget
        while over > 0:
            largest = max(held, key=held.__getitem__)
            over -= held.pop(largest)
            del self._held[largest]
            largest.reschedule(asyncio.get_running_loop().time())
