"""Mending: go on with what has failed, take it back, compare the tenant with the plan."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from bot.domain.events import Event
from bot.domain.lifetimes import APPROVAL_VALID
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.registrar.approval import ApprovalActions
from bot.registrar.kinds import check_idle
from bot.registrar.limits import CHECKS, check_limit
from bot.storage import (
    approval_requests,
    audit,
    decisions,
    history,
    messages,
    registrations,
    timers,
)
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


class RecoveryActions(ApprovalActions):
    """Runs that people ask for once the plan has been decided on."""

    async def approvers(self, id: str, *, by: Person) -> tuple[Person, ...]:
        """Return who has approved a registration that failed. Raises Refusal.

        They have to be looked up again before a retry, which may come days later.
        """
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.RETRY, id, by)
        return tuple(vote.person for vote in registration.approvals())

    async def retry(self, id: str, *, by: Person, seen: Collection[Person] = ()) -> Status:
        """Go on with a failed registration where it stopped, and return what it is now.

        `seen` are its approvers as Slack knows them now. If fewer approvals than it takes still
        count, it waits for approvers once more. Raises Refusal.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.RETRY, id, by)
            check_idle(registration)
            self._needed_profile(registration)
            await self._check_fresh(tx, registration)
            await timers.cancel(tx, id, TimerKind.UNDO)
            await history.write(tx, id, Event.RETRIED, by=by, now=self._clock.now())
            if registration.plan is None:
                return await self._go_on(tx, id, Status.PLANNING, RunKind.PLAN)
            if await self._is_still_approved(tx, registration, seen):
                return await self._go_on(tx, id, Status.APPROVED, RunKind.REGISTER)
            return await self._ask_approvers(tx, registration)

    async def _check_fresh(self, tx: AsyncConnection, registration: Registration) -> None:
        """Raise Refusal if what was approved was approved too long ago, by history: it is signed,
        and the dates of votes are not.
        """
        id, approved_at = registration.id, await audit.approved_at(tx, registration)
        if approved_at and approved_at + APPROVAL_VALID <= self._clock.now():
            raise Refusal(
                f"{id} was approved more than {APPROVAL_VALID.days} days ago, so it can't be"
                " retried. Press *Undo*; after that, *Ask again* asks for a new approval."
            )

    async def _go_on(self, tx: AsyncConnection, id: str, target: Status, run: RunKind) -> Status:
        await registrations.move(tx, id, target, failure=None, deadline=None)
        await self._add_run(tx, id, run)
        return target

    async def _is_still_approved(
        self, tx: AsyncConnection, registration: Registration, seen: Collection[Person]
    ) -> bool:
        """Judge the approvers anew, as at the last approval, and return whether enough are left."""
        plan, given = registration.latest(RequestKind.PLAN), registration.approvals()
        await audit.check_votes(tx, registration, plan, given)
        still = await self._judge_anew(tx, registration, plan, given, seen) if plan else ()
        return not self.quorum(registration).missing(still)

    async def _ask_approvers(self, tx: AsyncConnection, registration: Registration) -> Status:
        """Let it wait for approvers like a new plan, and tell them and the requester."""
        id, now = registration.id, self._clock.now()
        plan = registration.latest(RequestKind.PLAN)
        assert plan is not None
        await registrations.move(tx, id, Status.PENDING, failure=None, deadline=None)
        again = replace(plan, asked_at=now, expires_at=now + self._approval_ttl)
        await approval_requests.reopen(tx, id, again)
        channel = self._approval_channel
        await messages.add(tx, id, MessageKind.REMINDER, channel, subject=plan.id)
        await decisions.tell(tx, registration, plan)
        return Status.PENDING

    async def undo(self, id: str, *, by: Person) -> None:
        """Remove what a failed registration has made. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.UNDO, id, by)
            check_idle(registration)
            await timers.cancel(tx, id, TimerKind.UNDO)
            await self._add_run(tx, id, RunKind.UNDO)
            await history.write(tx, id, Event.UNDO_REQUESTED, by=by, now=self._clock.now())

    async def check(self, id: str, *, by: Person) -> None:
        """Have the tenant compared with the plan; `by` is told the result. Raises Refusal."""
        id = id.upper()
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CHECK, id, by)
            check_idle(registration)
            await check_limit(tx, CHECKS, now=self._clock.now(), registration=id)
            await self._add_run(tx, id, RunKind.CHECK, subject=by.user_id)
            await history.write(tx, id, Event.CHECK_REQUESTED, by=by, now=self._clock.now())
