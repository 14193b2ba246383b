"""Taking back: revoke what is ready."""

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.registrar.base import RegistrarBase
from bot.storage import history, messages, registrations, runs, secrets, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


class RevocationActions(RegistrarBase):
    """From an application that is in use to nothing. People confirm it before."""

    async def check_may_revoke(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person can revoke it now."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.REVOKE, id, by)
            self._check_not_revoking(registration)

    async def revoke(self, id: str, *, by: Person) -> None:
        """Remove what a ready registration has made, or try that again now. Raises Refusal.

        The secret is closed with the same commit: from here on nobody is shown it. A mask that is
        due stays due, because nobody can be sure what stands on a screen. Whatever is at work has
        no point any more, so its run ends here: its body finds that out at its next step, as after
        a takeover, and what it has made in the meantime goes with the application.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.REVOKE, id, by)
            self._check_not_revoking(registration)
            now = self._clock.now()
            await runs.abort_open(tx, id, now=now)
            if await registrations.move(tx, id, Status.REVOKING):
                await registrations.set_revocation(tx, id, by=by, now=now)
                await self._close(tx, registration)
                await self._tell_of_revocation(tx, registration, by)
            await registrations.update(tx, id, deadline=None, failure=None)
            await timers.cancel_all(tx, id, but=TimerKind.MASK)
            await self._add_run(tx, id, RunKind.REVOKE)
            await history.write(tx, id, Event.REVOKE_REQUESTED, by=by, now=now)

    async def _tell_of_revocation(
        self, tx: AsyncConnection, registration: Registration, by: Person
    ) -> None:
        """Tell approvers and requester at once: one approver alone can pull this brake."""
        id, requester = registration.id, registration.requester
        await messages.add(tx, id, MessageKind.REVOCATION, self._approval_channel)
        if by.key != requester.key:
            await messages.owe_news(tx, id, requester.user_id)

    async def _close(self, tx: AsyncConnection, registration: Registration) -> None:
        """Close the vault over what nobody has seen."""
        for secret in await secrets.live(tx, registration.id):
            await secrets.change(
                tx, secret.id, SecretState.CLOSED, since=[SecretState.SEALED], sealed=None
            )

    def _check_not_revoking(self, registration: Registration) -> None:
        if registration.run is RunKind.REVOKE:
            raise Refusal(
                f"{registration.id} is being revoked already. Its card says when that is done."
            )
