"""The run that deletes a registration's objects from Entra's bin."""

from bot.domain.approval_requests import RequestState
from bot.domain.events import Event
from bot.domain.people import Refusal
from bot.domain.registration import Deleted, Registration, RunOutcome
from bot.runs.base import RunBase, StepFailed, failed, tampered
from bot.storage import audit, history, registrations, runs
from bot.storage.runs import Run
from graph.errors import GraphError
from graph.plan import Plan
from graph.removal import purge


class Purging(RunBase):
    """Purge deleted objects: this cannot be undone."""

    async def purge(self, id: str) -> None:
        """Purge every deleted object; those that Entra no longer has are done."""
        found = await self._open(id)
        if found is None:
            return
        run, registration = found
        try:
            plan = await self._asked_for(run, registration)
            # The application first: if an administrator has restored it, nothing of it is touched.
            for each in sorted(registration.deleted, key=lambda it: it.step != "application"):
                await self._purge(run, plan, each)
        except StepFailed as failure:
            await self.fail(id, failure)
        except GraphError as error:
            await self.fail(id, failed("Delete for good", error))
        else:
            await self._finish(id)

    async def _asked_for(self, run: Run, registration: Registration) -> Plan:
        """Return the plan that made it, if approvers have approved to delete it for good."""
        plan = Plan.from_json(dict(registration.plan or {}))
        try:
            async with self._database.reading() as tx:
                await audit.check_purge(tx, registration, plan.digest, run.subject)
                if run.subject is not None:  # else one approver has had it started, before 0007
                    await self._check_request(tx, run, registration)
        except Refusal as refusal:
            step, advice = "Compare the request with history", "Nothing was deleted for good."
            raise tampered(refusal, step=step, advice=advice) from None
        return plan

    async def _purge(self, run: Run, plan: Plan, each: Deleted) -> None:
        await purge(
            self._step_context(run, plan, {}),
            step=each.step,
            object_id=each.object_id,
            app_id=each.app_id,
            deleted_at=each.at,
        )

    async def _finish(self, id: str) -> None:
        async with self._services.writing() as tx:
            run = await runs.get(tx, id)
            if run is None or not await self._end(tx, run, RunOutcome.PURGED):
                return
            now = self._clock.now()
            await self._close_request(tx, run, RequestState.DONE)
            await registrations.update(tx, run.registration, purged_at=now, failure=None)
            await history.write(tx, run.registration, Event.PURGED, now=now)
