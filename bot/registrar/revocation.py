"""Revoke a ready registration: delete its application. Users confirm it before."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.registrar.access import Access
from bot.storage import decisions, history, messages, registrations, runs, secrets, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


@dataclass(frozen=True)
class Revocation:
    """From an application in use to its deletion."""

    access: Access

    async def check_may_revoke(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this user can revoke it now."""
        _check_not_revoking(await self.access.loaded_for(Verb.REVOKE, id, by))

    async def revoke(self, id: str, *, by: Person) -> None:
        """Delete everything that a ready registration has in Entra, or try that again now.

        The secret is closed with the same commit: from then on it cannot be shown. A mask that is
        due stays due, because it is unknown what stands on a screen. An open run has lost its point
        and ends here: its body finds that out at its next step, as after a takeover, and what it
        has created in the meantime is deleted with the application. Raises Refusal.
        """
        async with self.access.locked_for(Verb.REVOKE, id, by) as (tx, registration):
            _check_not_revoking(registration)
            now = self.access.now()
            await decisions.overrule(tx, registration, now=now)
            if await registrations.move(tx, id, Status.REVOKING):
                await registrations.set_revocation(tx, id, by=by, now=now)
                for secret in await secrets.live(tx, id):
                    since = [SecretState.SEALED]
                    await secrets.change(
                        tx, secret.id, SecretState.CLOSED, since=since, sealed=None
                    )
                await self._tell(tx, registration, by)
            await registrations.update(tx, id, deadline=None, failure=None)
            await timers.cancel_all(tx, id, but=TimerKind.MASK)
            await runs.add(tx, registration=id, kind=RunKind.REVOKE, now=now)
            await history.write(tx, id, Event.REVOKE_REQUESTED, by=by, now=now)

    async def _tell(self, tx: AsyncConnection, registration: Registration, by: Person) -> None:
        """Tell approvers and requester at once: one approver alone can revoke."""
        id, requester = registration.id, registration.requester
        channel = self.access.services.settings.approval_channel
        await messages.add(tx, id, MessageKind.REVOCATION, channel)
        if by.key != requester.key:
            await messages.add_news(tx, id, requester.user_id)


def _check_not_revoking(registration: Registration) -> None:
    if registration.run is RunKind.REVOKE:
        raise Refusal(
            f"{registration.id} is being revoked already. Its card says when that is done."
        )
