"""The run that makes a plan, and the one that carries an approved plan out, or makes a new secret
for a registration that is ready: in the place of a lost one, or beside the one in use.

After a crash a run is walked again: the facts of a step are in storage before the next one begins,
and a step whose facts are known is not taken again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState
from bot.domain.events import Event, Subject
from bot.domain.forms import plan_request_of
from bot.domain.lifetimes import FIRST_CHECK, UNREAD_SECRET
from bot.domain.registration import Registration, RunOutcome, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason
from bot.runs.base import RunBase, StepFailed, changed, failing, gone, untampered
from bot.runs.consent import ConsentCheck
from bot.runs.journal import BatchWriter, Entry, Superseded
from bot.services import Services
from bot.storage import (
    approval_requests,
    audit,
    history,
    messages,
    registrations,
    runs,
    secret_notices,
    secrets,
    timers,
)
from bot.storage.messages import MessageKind
from bot.storage.runs import PlannedStep, Run
from bot.storage.timers import TimerKind
from graph.application import APPLICATION
from graph.http import collecting_requests
from graph.permissions import is_allowed
from graph.plan import FactsByStep, Plan, Refused, preflight
from graph.step_context import Step, StepContext
from graph.steps import stages

log = structlog.get_logger()


class Provisioning(RunBase):
    """From approval to READY."""

    def __init__(self, services: Services, *, go_on: Callable[[], None] = lambda: None) -> None:
        """`go_on` raises CancelledError once the process stops: the run is begun again later."""
        super().__init__(services)
        self._go_on = go_on
        self._consent = ConsentCheck(services)
        self._writer = BatchWriter(services)

    async def provision(self, run: Run) -> None:
        """Walk the stages of an approved plan: everything, or what a new secret needs. While an
        administrator has to consent, the run ends, and another one goes on after that.

        Raises StepFailed or Superseded.
        """
        context = await self._begin(run)
        await self._check_made(context)
        for stage in stages(context.plan):
            self._go_on()
            awaited = [each.name for each in stage if each.is_awaited]
            if awaited and run.kind is not RunKind.REGISTER:
                continue  # a new secret changes no grant; the checks compare what there is
            if awaited and not await self._consent.check_or_wait(run, context, awaited):
                return
            found = await self._stage(run, stage, context)
            context = replace(context, facts={**context.facts, **found})
        if run.kind is RunKind.REPLACE_SECRET:
            await self._remove_replaced(run)
        await self._finish(run)

    async def _begin(self, run: Run) -> StepContext:
        """Return the context of the first stage, once it is sure that this is what was approved.

        This commit says, too, that the first step is about to write.
        """
        async with self._database.transaction() as tx:
            if await runs.get(tx, run.id) is None:
                raise Superseded
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            plan = self._approved_plan(run, registration)
            await self._check_history(tx, run, registration)
            facts = await runs.known_facts(tx, run)
            await runs.list_steps(tx, run, _planned(run, plan, facts))
            for name, known in facts.items():  # show steps of earlier runs as done
                await runs.record(tx, run, name, known, self._clock.now())
            announced, first = {}, APPLICATION.name
            if first not in facts:
                announced[first] = await runs.record_intent(tx, run, first, self._clock.now())
            until = None
            if run.kind is RunKind.REPLACE_SECRET:
                until = await self._approved_until(tx, registration, plan)
        return replace(
            self._step_context(run, registration, announced),
            facts=facts,
            approved_by=", ".join(vote.person.user_id for vote in registration.approvals()),
            secret_until=until,
        )

    def _approved_plan(self, run: Run, registration: Registration) -> Plan:
        """Return the plan if its digest is the one approved and the profile has not changed.

        What was made by the plan gets new secrets by it, even if its profile has changed since.
        """
        profile = self._services.catalogue.get(registration.form.profile)
        if profile is None:
            raise gone(registration.form.profile)
        plan = Plan.from_json(dict(registration.plan or {}))
        if plan.digest != registration.digest:
            raise changed("The stored plan is not the one approved.")
        # After the restore of an older copy the votes on a plan may be lost: then a rotation is
        # carried by its own, which are for this plan and take no fewer approvers.
        digests = {vote.digest for vote in registration.approvals()}
        if digests != {plan.digest} and (digests or run.kind is not RunKind.ADD_SECRET):
            raise changed("Another plan was approved than the stored one.")
        if not all(is_allowed(each) for each in (*plan.roles, *plan.scopes)):
            raise changed("The plan holds a permission not allowed.")
        if run.kind is RunKind.REGISTER and profile.digest != plan.profile_digest:
            raise changed("The profile has changed since the approval.")
        return plan

    async def _check_history(
        self, tx: AsyncConnection, run: Run, registration: Registration
    ) -> None:
        """See that the approvals were given by those who gave them: rows can be written by others.

        Raises StepFailed.
        """
        votes = registration.approvals()
        with untampered():
            if run.kind is RunKind.REGISTER:
                await audit.check_not_carried_out(tx, registration)
            if votes or run.kind is not RunKind.ADD_SECRET:
                await audit.check_approved(tx, registration, None, votes)
            else:  # lost by a restore, which history knows
                await audit.check_votes(tx, registration, None, votes)
        if run.kind is RunKind.ADD_SECRET:
            await self._check_request(tx, run, registration)

    async def _approved_until(
        self, tx: AsyncConnection, registration: Registration, plan: Plan
    ) -> datetime | None:
        """Return the end that was approved, which history limits: rows can be written by others."""
        lifetime = timedelta(days=plan.secret_days)
        by_rows = await secrets.approved_until(tx, registration.id)
        by_history = await audit.approved_until(tx, registration, lifetime)
        return min(filter(None, (by_rows, by_history)), default=None)

    async def _stage(self, run: Run, stage: list[Step], context: StepContext) -> FactsByStep:
        """Take the stage's steps together; return what they learnt, or raise the first failure."""
        todo = [each for each in stage if each.name not in context.facts]
        new_facts = await asyncio.gather(
            *(self._take(run, each, context) for each in todo),
            return_exceptions=True,  # a sibling is never cancelled in the middle of a call
        )
        found, failures = {}, []
        for each, result in zip(todo, new_facts, strict=True):
            if isinstance(result, BaseException):
                failures.append(result)
            else:
                found[each.name] = result
        if failures:
            raise next((it for it in failures if isinstance(it, Superseded)), failures[0])
        return found

    async def _take(self, run: Run, each: Step, context: StepContext) -> dict[str, Any]:
        """Do one step, and write to storage what it learnt. Cards follow at their own pace."""
        try:
            with failing(each.title), collecting_requests() as requests:
                new_facts = await each.do(context)
        except StepFailed:
            await self._database.write(runs.fail_step, run, each.name, self._clock.now())
            raise
        entry = Entry(
            run=run, step=each.name, facts=new_facts, requests=requests, lasting=each.lasting
        )
        if not await self._writer.record(entry):
            raise Superseded
        return new_facts

    async def _remove_replaced(self, run: Run) -> None:
        """Remove the secret that a new one replaces. One that is older is still in use."""
        registration = await self._registration(run)
        async with self._database.reading() as tx:
            if await runs.get(tx, run.id) is None:
                raise Superseded
            live = await secrets.live(tx, run.registration)
            lost = await secrets.get(tx, run.subject or "")
        for old in live:
            if old.run != run.id and (lost is None or old.made_at >= lost.made_at):
                await self._remove_key(run, registration, old, RemovalReason.REPLACED)

    async def _finish(self, run: Run) -> None:
        """Announce what has been made and proven: the values are owed from here on."""
        registration = run.registration
        async with self._ending(run, RunOutcome.HANDED_OVER) as (tx, now):
            sealed = await secrets.sealed_of_run(tx, run.id)
            assert sealed is not None
            await registrations.move(tx, registration, Status.READY)
            until = now + UNREAD_SECRET
            await registrations.update(tx, registration, failure=None, deadline=until)
            subject = Subject(secret=sealed.id)
            await messages.add(tx, registration, MessageKind.VALUES, subject=subject)
            await timers.add(tx, registration, TimerKind.REMOVE_UNREAD, until, subject)
            await secret_notices.plan_reminder(tx, registration, sealed.id, until=until, now=now)
            # Until the new one was seen.
            for old in await secrets.cancel_removals(tx, registration, now):
                subject = Subject(secret=old)
                await timers.cancel(tx, registration, TimerKind.REMOVE_PREVIOUS, subject)
            await self._schedule_stray_removal(tx, run)
            await timers.cancel(tx, registration, TimerKind.CHECK)
            await timers.add(tx, registration, TimerKind.CHECK, now + FIRST_CHECK)
            await self._close_request(tx, run, RequestState.DONE)
            event = Event.ROTATED if run.kind is RunKind.ADD_SECRET else Event.READY
            await history.write(
                tx, registration, event, now=now, secret=sealed.id, key_id=sealed.key_id
            )


def _planned(run: Run, plan: Plan, facts: FactsByStep) -> list[PlannedStep]:
    """Return the steps to show: all of them, or those that a new secret needs."""
    return [
        PlannedStep(stage=number, name=each.name, title=each.title, lasting=each.lasting)
        for number, stage in enumerate(stages(plan))
        for each in stage
        if run.kind is RunKind.REGISTER or not (each.is_awaited or each.name in facts)
    ]


class Planning(RunBase):
    """From the form to a plan that waits for approval, or to every reason against it."""

    async def make_plan(self, run: Run) -> None:
        """Read the tenant and make the plan, or collect every reason against it."""
        try:
            plan = await self._read_tenant(await self._registration(run))
        except Refused as refused:
            await self._refuse(run, refused.reasons)
        else:
            await self._propose(run, plan)

    async def _read_tenant(self, registration: Registration) -> Plan:
        """Return the plan. Raises Refused or StepFailed."""
        form = registration.form
        profile = self._services.catalogue.get(form.profile)
        if profile is None:
            raise gone(form.profile)
        request = plan_request_of(
            form,
            profile,
            registration=registration.id,
            key=registration.key,
            installation=self._services.installation,
            requester=str(registration.requester),
            consent_mode=self._services.settings.consent_mode,
        )
        cache = self._tenant.tenant_cache
        with failing("Check the tenant"):
            return await preflight(
                request, graph=self._tenant.graph, tenant_cache=cache, clock=self._clock
            )

    async def _refuse(self, run: Run, reasons: tuple[str, ...]) -> None:
        id, told = run.registration, list(reasons)
        async with self._ending(run, RunOutcome.REFUSED) as (tx, now):
            await registrations.move(tx, id, Status.REFUSED, reasons=told, failure=None)
            await history.write(tx, id, Event.REFUSED, now=now, reasons=told)
            await messages.add_news(tx, id)

    async def _propose(self, run: Run, plan: Plan) -> None:
        id = run.registration
        async with self._ending(run, RunOutcome.PLANNED) as (tx, now):
            found = await registrations.get(tx, id)
            assert found is not None
            await registrations.move(
                tx, id, Status.PENDING, plan=plan.to_json(), digest=plan.digest, failure=None
            )
            request = ApprovalRequest(
                id=id,
                kind=RequestKind.PLAN,
                asked_by=found.requester,
                asked_at=now,
                expires_at=now + self._services.settings.approval_ttl,
                digest=plan.digest,
            )
            await approval_requests.ask(tx, id, request)
            await history.write(tx, id, Event.PLANNED, now=now, digest=plan.digest)
