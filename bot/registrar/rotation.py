"""Rotating: remove the secret before the newest one, not when its time is over."""

from bot.approval import Verb
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.domain.secrets import Secret
from bot.registrar.base import RegistrarBase
from bot.registrar.kinds import why_unseen
from bot.storage import history, secrets, timers
from bot.storage.timers import TimerKind


class RotationActions(RegistrarBase):
    """What ends the time in which two secrets work."""

    async def check_may_remove_previous(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person can have the previous secret removed now."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.REMOVE_PREVIOUS, id, by)
            self._check_previous_removable(registration)

    async def remove_previous(self, id: str, *, by: Person) -> None:
        """Remove the secret before the newest one now, not when its time is over. Raises Refusal.

        The due that would have removed it then comes at once.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.REMOVE_PREVIOUS, id, by)
            previous, now = self._check_previous_removable(registration), self._clock.now()
            await secrets.schedule_removal(tx, previous.id, now)
            await timers.bring_forward(tx, id, TimerKind.REMOVE_PREVIOUS, now)
            await history.write(tx, id, Event.PREVIOUS_REMOVAL_REQUESTED, by=by, now=now)

    def _check_previous_removable(self, registration: Registration) -> Secret:
        """Return the secret before the newest one. Raises Refusal unless it can do without."""
        id, previous = registration.id, registration.previous_secret
        if previous is None:
            raise Refusal(
                f"{id} has no previous secret. `/aad-setup revoke {id}` takes back all that it has."
            )
        if previous.retires_at is None:
            raise Refusal(f"{why_unseen(registration)}, so the one before is still in use.")
        if previous.retires_at <= self._clock.now():
            raise Refusal(f"The previous secret of {id} is being removed already.")
        return previous
