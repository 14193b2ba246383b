"""The run that makes the plan: it reads the tenant and changes nothing."""

from bot.domain.approval_requests import ApprovalRequest, RequestKind
from bot.domain.events import Event
from bot.domain.registration import Registration, RunOutcome, Status
from bot.planning.plans import plan_request_of
from bot.runs.base import RunBase, failed, gone
from bot.storage import decisions, history, registrations
from bot.storage.runs import Run
from graph.errors import GraphError
from graph.plan import Plan
from graph.preflight import Refused, preflight


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
        try:
            return await preflight(
                request, graph=self._tenant.graph, tenant_cache=cache, clock=self._clock
            )
        except GraphError as error:
            raise failed("Check the tenant", error) from None

    async def _refuse(self, run: Run, reasons: tuple[str, ...]) -> None:
        async with self._services.writing() as tx:
            if not await self._end(tx, run, RunOutcome.REFUSED):
                return
            now = self._clock.now()
            id, told = run.registration, list(reasons)
            await registrations.move(tx, id, Status.REFUSED, reasons=told, failure=None)
            await history.write(tx, id, Event.REFUSED, now=now, reasons=told)
            await self.tell(tx, run)

    async def _propose(self, run: Run, plan: Plan) -> None:
        async with self._services.writing() as tx:
            if not await self._end(tx, run, RunOutcome.PLANNED):
                return
            now, id = self._clock.now(), run.registration
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
            await decisions.ask(
                tx, id, request, approval_channel=self._services.settings.approval_channel
            )
            await history.write(tx, id, Event.PLANNED, now=now, digest=plan.digest)
