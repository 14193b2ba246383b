"""Deciding on a plan: approve, withdraw, deny, cancel."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import Vote
from bot.domain.events import Event
from bot.domain.form_validation import check_reason
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.registrar.voting import Voting
from bot.storage import history, messages, registrations, timers, votes
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


class ApprovalActions(Voting):
    """From a plan that waits to its run, or to its end."""

    async def earlier_approvers(self, id: str, *, by: Person) -> tuple[Person, ...]:
        """Return who has approved before, if an approval of this person would be the last needed.

        They have to be looked up again: approvals may be days apart. Raises Refusal.
        """
        async with self._database.reading() as tx:
            if not await votes.of(tx, id):  # as nearly always: then `approve` judges all the rest
                return ()
            registration = await self.loaded_for(tx, Verb.APPROVE, id, by)
        quorum = self.quorum(registration)
        earlier, vote = _on_this_plan(registration), self._vote(registration, by, quorum)
        return self._to_look_up(earlier, vote, quorum)

    async def approve(self, id: str, *, by: Person, seen: Collection[Person] = ()) -> None:
        """Vote for the plan; the last vote that is needed starts the run. Raises Refusal.

        `seen` are the earlier approvers as Slack knows them now. At the last vote, what was
        approved by somebody who could not approve any more no longer counts.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.APPROVE, id, by)
            self._check_in_time(registration)
            self._check_idle(registration)  # one that failed before may be swept just now
            self._check_profile(registration)
            quorum = self.quorum(registration)
            if registration.vote_of(by) is not None:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            vote, earlier = self._vote(registration, by, quorum), _on_this_plan(registration)
            await votes.cast(tx, id, vote)
            if await self._count(tx, registration, earlier, vote, seen, quorum):
                await self._leave_pending(tx, registration, Status.APPROVED, quorum=asdict(quorum))
                await self._add_run(tx, id, RunKind.REGISTER)
            else:
                await self._tell(tx, registration.requester, id)

    def _check_profile(self, registration: Registration) -> None:
        """Raise Refusal unless the profile, which says how many it takes, is still the plan's."""
        profile = self._needed_profile(registration)
        if (registration.plan or {}).get("profile_digest") != profile.digest:
            raise Refusal(
                f"The profile {profile.title} has changed since the plan of {registration.id} was"
                " made. Deny it: the requester can ask again."
            )

    async def withdraw(self, id: str, *, by: Person) -> None:
        """Take one's own approval back while others are still awaited. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.WITHDRAW, id, by)
            self._check_in_time(registration)
            if registration.vote_of(by) is None:
                raise Refusal(f"You have not approved {id}, so there is nothing to withdraw.")
            await votes.withdraw(tx, id, by)
            await history.write(tx, id, Event.WITHDRAWN, by=by, now=self._clock.now())
            await self._tell(tx, registration.requester, id)

    async def check_may_deny(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person could deny it now: a form is asked for first."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.DENY, id, by)
            self._check_in_time(registration)

    async def deny(self, id: str, *, by: Person, reason: str) -> None:
        """Decide against the plan, which ends the registration. Raises Refusal, FormProblems."""
        reason = check_reason(reason)
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.DENY, id, by)
            self._check_in_time(registration)
            now, digest = self._clock.now(), registration.digest or ""
            if registration.vote_of(by) is not None:
                raise Refusal(f"You have approved {id}. Withdraw that first, then deny it.")
            vote = Vote(person=by, verdict="deny", at=now, digest=digest)
            await votes.cast(tx, id, vote)
            await history.write(tx, id, Event.DENIED, by=by, now=now, digest=digest, reason=reason)
            await self._leave_pending(tx, registration, Status.DENIED, reasons=[reason])
            await self._tell(tx, registration.requester, id)

    async def cancel(self, id: str, *, by: Person) -> None:
        """Take back a registration that nobody has decided on. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CANCEL, id, by)
            await history.write(tx, id, Event.CANCELLED, by=by, now=self._clock.now())
            await self._leave_pending(tx, registration, Status.CANCELLED)

    async def _leave_pending(
        self, tx: AsyncConnection, registration: Registration, target: Status, **columns: object
    ) -> None:
        id = registration.id
        await registrations.move(tx, id, target, deadline=None, **columns)
        for kind in (TimerKind.EXPIRE, TimerKind.REMIND):
            await timers.cancel(tx, id, kind)
        if registration.was_begun and target is not Status.APPROVED:
            await timers.add(tx, id, TimerKind.UNDO, self._clock.now())

    async def _tell(self, tx: AsyncConnection, requester: Person, id: str) -> None:
        await messages.add(tx, id, MessageKind.NEWS, requester.user_id)


def _on_this_plan(registration: Registration) -> Sequence[Vote]:
    return [each for each in registration.approvals() if each.digest == registration.digest]
