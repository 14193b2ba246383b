"""Looking: how a registration stands, whose there are, and whether an event is news."""

from collections.abc import Sequence

from bot.registrar.desk import Desk
from bot.registration import Person, Registration
from bot.storage import messages, registrations

LISTED = 10


class Looking(Desk):
    """What people read; nothing changes by it."""

    async def status(self, id: str, *, by: Person) -> Registration:
        """Return the registration, for anybody in the team. Raises Refusal if there is none."""
        self._policy.check_account(by)
        async with self._database.reading() as tx:
            return await self._get(tx, id.upper())

    async def mine(self, person: Person) -> Sequence[Registration]:
        """Return the person's latest registrations, newest first."""
        self._policy.check_account(person)
        async with self._database.reading() as tx:
            ids = await registrations.latest_of(tx, person, limit=LISTED)
            return [await self._get(tx, id) for id in ids]

    async def is_news(self, event_id: str) -> bool:
        """Whether this event of Slack's comes for the first time."""
        async with self._database.transaction() as tx:
            return await messages.first_sight(tx, event_id, self._clock.now())
