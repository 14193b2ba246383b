"""Deciding on a plan: approve, deny, cancel."""

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.registrar.desk import Desk
from bot.registration import Person, Refusal, RunKind, Status, Vote
from bot.storage import dues, history, messages, registrations
from bot.storage.dues import DueKind
from bot.storage.messages import MessageKind


class Deciding(Desk):
    """From a plan that waits to its run, or to its end."""

    async def approve(self, id: str, *, by: Person) -> None:
        """Vote for the plan; the last vote that is needed starts the run. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.APPROVE, id, by)
            self._check_in_time(registration)
            digest = registration.digest or ""
            if by.key in {vote.person.key for vote in registration.votes}:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            now = self._clock.now()
            await registrations.vote(
                tx, id, Vote(person=by, verdict="approve", at=now), digest=digest
            )
            await history.write(tx, id, "approved", by=by, now=now, digest=digest)
            before = [vote for vote in registration.approvals() if vote.digest == digest]
            if len(before) + 1 >= self.approvals_needed:
                await registrations.move(tx, id, Status.APPROVED, deadline=None)
                await dues.drop(tx, id, DueKind.EXPIRE)
                await self._owe_run(tx, id, RunKind.REGISTER)

    async def deny(self, id: str, *, by: Person) -> None:
        """Decide against the plan, which ends the registration. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.DENY, id, by)
            now, digest = self._clock.now(), registration.digest or ""
            if by.key in {vote.person.key for vote in registration.votes}:
                raise Refusal(
                    f"You have approved {id} already, so you cannot deny it."
                    " Another approver still can."
                )
            await registrations.vote(tx, id, Vote(person=by, verdict="deny", at=now), digest=digest)
            await history.write(tx, id, "denied", by=by, now=now, digest=digest)
            await self._close(tx, id, Status.DENIED)
            await messages.owe(tx, id, MessageKind.NEWS, registration.requester.user_id)

    async def cancel(self, id: str, *, by: Person) -> None:
        """Take back a registration that nobody has decided on. Raises Refusal."""
        async with self._writing() as tx:
            await self._allowed(tx, Verb.CANCEL, id, by)
            await history.write(tx, id, "cancelled", by=by, now=self._clock.now())
            await self._close(tx, id, Status.CANCELLED)

    async def _close(self, tx: AsyncConnection, id: str, target: Status) -> None:
        await registrations.move(tx, id, target, deadline=None)
        await dues.drop(tx, id, DueKind.EXPIRE)
