"""Deliveries of Slack: whether an event is new, and whether a clicked message is a copy."""

from dataclasses import dataclass

from bot.services import Services
from bot.storage import messages


@dataclass(frozen=True)
class Deliveries:
    """Recognises repeated events and copied messages."""

    services: Services

    async def is_news(self, event_id: str) -> bool:
        """Whether this event of Slack's comes for the first time."""
        async with self.services.database.transaction() as tx:
            return await messages.is_first_delivery(tx, event_id, self.services.clock.now())

    async def is_at(self, message: str, *, channel: str, ts: str) -> bool:
        """Whether a message is here, and no copy of it.

        While Slack has not said where it was posted, it is where it is clicked. A message that
        storage does not know has no copy.
        """
        async with self.services.database.reading() as tx:
            place = await messages.place(tx, message)
        if place is None or place == (channel, ts):
            return True
        if place[1] is not None:
            return False
        async with self.services.database.transaction() as tx:
            if await messages.locate(tx, message, channel=channel, ts=ts):
                return True
            return await messages.place(tx, message) == (channel, ts)
