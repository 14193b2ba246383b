"""Deliveries from and to Slack: repeated events, copied messages, messages without a recipient."""

from dataclasses import dataclass

from bot.domain.events import Event, Subject
from bot.services import Services
from bot.storage import history, messages, registrations
from bot.storage.messages import MessageKind


@dataclass(frozen=True)
class Deliveries:
    """Compares what Slack delivers, or cannot deliver, with storage."""

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

    async def requester_left(
        self, id: str, *, who: str, message: str, expiry: Subject | None = None
    ) -> None:
        """Record that the requester's account is deactivated or gone, and tell the approvers: once
        for each message that was not sent, and of an expiry unless they are told anyway.

        Do nothing if `who`, a user id, has handed it over since. After a crash before the message
        is given up, the caller comes here again.
        """
        kind, subject = MessageKind.LEFT, Subject(message=message)
        if expiry is not None:
            kind, subject = MessageKind.EXPIRY, expiry
        async with self.services.writing() as tx:
            await registrations.bump_version(tx, id)
            if await registrations.requester_of(tx, id) != who:
                return
            if not await messages.exists(tx, id, kind, subject):
                now = self.services.clock.now()
                await history.write(tx, id, Event.REQUESTER_LEFT, now=now)
                await messages.add(tx, id, kind, subject=subject)
