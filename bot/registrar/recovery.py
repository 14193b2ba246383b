"""Runs that users ask for once the plan has been decided on: retry, undo, check, revoke."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import ApprovalRequest, RequestKind
from bot.domain.events import Event, Subject
from bot.domain.lifetimes import APPROVAL_VALID, CONSENT_PAUSE
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason
from bot.registrar.access import CHECKS, Access, check_limit
from bot.registrar.approval import Approval
from bot.registrar.kinds import check_idle
from bot.storage import (
    approval_requests,
    audit,
    consents,
    history,
    messages,
    registrations,
    runs,
    secrets,
    timers,
)
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


@dataclass(frozen=True)
class Recovery:
    """From a failure to another try or to nothing, and the comparison with the tenant."""

    access: Access

    async def approvers(self, id: str, *, by: Person) -> tuple[Person, ...]:
        """Return who has approved a registration that failed. Raises Refusal.

        They have to be looked up again before a retry, which may come days later.
        """
        registration = await self.access.loaded_for(Verb.RETRY, id, by)
        return tuple(vote.person for vote in registration.approvals())

    async def retry(self, id: str, *, by: Person, seen: Collection[Person] = ()) -> Status:
        """Continue a failed registration where it stopped, and return its new status.

        `seen` are its approvers as Slack knows them now. If fewer approvals than it takes still
        count, it waits for approvers again. Raises Refusal.
        """
        async with self.access.locked_for(Verb.RETRY, id, by) as (tx, registration):
            check_idle(registration)
            self.access.profile(registration)
            await self._check_fresh(tx, registration)
            await timers.cancel(tx, id, TimerKind.UNDO)
            await history.write(tx, id, Event.RETRIED, by=by, now=self.access.now())
            plan = registration.latest(RequestKind.PLAN)
            if plan is None:
                return await self._continue(tx, id, Status.PLANNING, RunKind.PLAN)
            # The votes are judged again, as at the last approval.
            given = registration.approvals()
            await audit.check_votes(tx, registration, plan, given)
            case = self.access.case(registration, plan, by, seen)
            still = await Approval(self.access).still_counting(tx, case, given)
            if not self.access.quorum(registration).missing(still):
                return await self._continue(tx, id, Status.APPROVED, RunKind.REGISTER)
            return await self._ask_approvers(tx, registration, plan)

    async def _check_fresh(self, tx: AsyncConnection, registration: Registration) -> None:
        """Raise Refusal if the plan was approved too long ago, by history: it is signed, and the
        dates of votes are not.
        """
        id, approved_at = registration.id, await audit.approved_at(tx, registration)
        if approved_at and approved_at + APPROVAL_VALID <= self.access.now():
            raise Refusal(
                f"{id} was approved more than {APPROVAL_VALID.days} days ago, so it can't be"
                " retried. Press *Undo*; after that, *Ask again* asks for a new approval."
            )

    async def _continue(self, tx: AsyncConnection, id: str, target: Status, run: RunKind) -> Status:
        await registrations.move(tx, id, target, failure=None, deadline=None)
        await runs.add(tx, registration=id, kind=run, now=self.access.now())
        return target

    async def _ask_approvers(
        self, tx: AsyncConnection, registration: Registration, plan: ApprovalRequest
    ) -> Status:
        """Let it wait for approvers like a new plan, and tell them and the requester."""
        id, now = registration.id, self.access.now()
        await registrations.move(tx, id, Status.PENDING, failure=None, deadline=None)
        expires_at = now + self.access.services.settings.approval_ttl
        again = replace(plan, asked_at=now, expires_at=expires_at)
        await approval_requests.reopen(tx, id, again)
        await messages.add(tx, id, MessageKind.REMINDER, subject=Subject(request=plan.id))
        await approval_requests.tell(tx, id, plan)
        return Status.PENDING

    async def check_may_undo(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this user can undo it now: a confirmation comes first."""
        check_idle(await self.access.loaded_for(Verb.UNDO, id, by))

    async def undo(self, id: str, *, by: Person) -> None:
        """Delete the objects that a failed registration has created. Raises Refusal."""
        async with self.access.locked_for(Verb.UNDO, id, by) as (tx, registration):
            check_idle(registration)
            now = self.access.now()
            await timers.cancel(tx, id, TimerKind.UNDO)
            await runs.add(tx, registration=id, kind=RunKind.UNDO, now=now)
            await history.write(tx, id, Event.UNDO_REQUESTED, by=by, now=now)

    async def check(self, id: str, *, by: Person) -> Status:
        """Compare the tenant with the plan, and tell `by` the result. While an administrator has to
        consent, look within a minute whether that was done. Return the registration's status.

        Raises Refusal.
        """
        id, now = id.upper(), self.access.now()
        found = await self.access.loaded_for(Verb.CHECK, id, by)
        if found.status is Status.WAITING_FOR_CONSENT:
            # Without a lock, which would redraw every card. The last look may have been just now.
            soon, write = now + CONSENT_PAUSE, self.access.services.database.write
            await write(timers.hasten, id, TimerKind.CONSENT, soon)
            return found.status
        async with self.access.locked_for(Verb.CHECK, id, by) as (tx, registration):
            check_idle(registration)
            await check_limit(tx, CHECKS, now=now, registration=id)
            await runs.add(tx, registration=id, kind=RunKind.CHECK, subject=by.user_id, now=now)
            await history.write(tx, id, Event.CHECK_REQUESTED, by=by, now=now)
        return registration.status


@dataclass(frozen=True)
class Revocation:
    """From an application to its deletion."""

    access: Access

    async def check_may_revoke(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this user can revoke it now."""
        _check_not_revoking(await self.access.loaded_for(Verb.REVOKE, id, by))

    async def revoke(self, id: str, *, by: Person) -> None:
        """Delete everything that a registration has in Entra, or try that again now.

        The secret is closed with the same commit: from then on it cannot be shown. A mask that is
        due stays due, because it is unknown what stands on a screen. An open run has lost its point
        and ends here: its body finds that out at its next step, as after a takeover, and what it
        has created in the meantime is deleted with the application. Raises Refusal.
        """
        async with self.access.locked_for(Verb.REVOKE, id, by) as (tx, registration):
            _check_not_revoking(registration)
            now = self.access.now()
            await approval_requests.overrule(tx, registration, now=now)
            if await registrations.move(tx, id, Status.REVOKING):
                await registrations.set_revocation(tx, id, by=by, now=now)
                for secret in await secrets.live(tx, id):
                    reason = RemovalReason.APPLICATION_DELETED
                    await secrets.close(tx, secret.id, reason, now=now)
                # At once, because one approver alone can revoke.
                await messages.add(tx, id, MessageKind.REVOCATION)
                if by.key != registration.requester.key:
                    await messages.add_news(tx, id)
            await registrations.update(tx, id, deadline=None, failure=None)
            await consents.stop(tx, id)
            await timers.cancel_all(tx, id, but=TimerKind.MASK)
            await runs.add(tx, registration=id, kind=RunKind.REVOKE, now=now)
            await history.write(tx, id, Event.REVOKE_REQUESTED, by=by, now=now)


def _check_not_revoking(registration: Registration) -> None:
    if registration.run is RunKind.REVOKE:
        raise Refusal(
            f"{registration.id} is being revoked already. Its card says when that is done."
        )
