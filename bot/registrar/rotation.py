"""End the time in which two secrets work: remove the one before the newest early."""

from dataclasses import dataclass

from bot.approval import Verb
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.domain.secrets import Secret
from bot.registrar.access import Access
from bot.registrar.kinds import why_unseen
from bot.storage import history, secrets, timers
from bot.storage.timers import TimerKind


@dataclass(frozen=True)
class Rotation:
    """The last act of a rotation."""

    access: Access

    async def check_may_remove_previous(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this user can have the previous secret removed now."""
        registration = await self.access.loaded_for(Verb.REMOVE_PREVIOUS, id, by)
        self._removable(registration)

    async def remove_previous(self, id: str, *, by: Person) -> None:
        """Remove the secret before the newest one now: its timer fires at once. Raises Refusal."""
        async with self.access.locked_for(Verb.REMOVE_PREVIOUS, id, by) as (tx, registration):
            previous, now = self._removable(registration), self.access.now()
            await secrets.schedule_removal(tx, previous.id, now)
            await timers.bring_forward(tx, id, TimerKind.REMOVE_PREVIOUS, now)
            await history.write(tx, id, Event.PREVIOUS_REMOVAL_REQUESTED, by=by, now=now)

    def _removable(self, registration: Registration) -> Secret:
        """Return the secret before the newest one. Raises Refusal unless it can be removed now."""
        id, previous = registration.id, registration.previous_secret
        if previous is None:
            raise Refusal(
                f"{id} has no previous secret. `/aad-setup revoke {id}` takes back all that it has."
            )
        if previous.retires_at is None:
            raise Refusal(f"{why_unseen(registration)}, so the one before is still in use.")
        if previous.retires_at <= self.access.now():
            raise Refusal(f"The previous secret of {id} is being removed already.")
        return previous
