"""The runs that clear up: an unread secret, stray secrets, all that a registration has made."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.registration import Deleted, Registration, RunOutcome, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.runs.base import RunBase, StepFailed, failed
from bot.storage import history, messages, registrations, runs, secrets, timers, unread_notices
from bot.storage.messages import MessageKind
from bot.storage.runs import Run
from bot.storage.timers import TimerKind
from graph.errors import GraphError
from graph.plan import FactsByStep, Plan
from graph.secret import remove_strays
from graph.step_context import Facts, Step
from graph.steps import stages

log = structlog.get_logger()


class Cleanup(RunBase):
    """From something that should not be in Entra to its absence."""

    async def remove_unread(self, id: str) -> None:
        """Take a secret that nobody may see any more out of Entra."""
        await self._remove_or_retry_later(id, self._remove)

    async def remove_previous(self, id: str) -> None:
        """Take the secret that a newer one follows out of Entra, and say so to its requester."""
        await self._remove_or_retry_later(id, self._remove_previous)

    async def remove_stray(self, id: str) -> None:
        """Remove secrets that carry our id but not our key id: answers that were lost."""
        await self._remove_or_retry_later(id, self._remove_stray)

    async def undo(self, id: str) -> None:
        """Remove exactly what a failed registration made, in reverse order."""
        await self._remove_everything(id, Status.UNDONE)

    async def revoke(self, id: str) -> None:
        """Remove exactly what a ready registration made, in reverse order."""
        await self._remove_everything(id, Status.REVOKED)

    async def _remove_everything(self, id: str, target: Status) -> None:
        try:
            found = await self._open(id)
            if found is None:
                return
            run, registration = found
            if registration.plan:  # without one, nothing was ever made
                plan = Plan.from_json(dict(registration.plan))
                await self._undo_all(run, plan, registration.facts)
        except StepFailed as failure:
            await self.fail(id, failure)
        else:
            await self._finish(id, target)

    async def _remove_or_retry_later(
        self, id: str, work: Callable[[Run, Registration], Awaitable[None]]
    ) -> None:
        """Do the work; if the tenant does not answer, a later sweep does the rest."""
        found = await self._open(id)
        if found is None:
            return
        run, registration = found
        outcome: RunOutcome | str = RunOutcome.DONE
        try:
            await work(run, registration)
        except (GraphError, StepFailed) as error:
            outcome = error.code
            log.warning("clearing up comes later", run=id, code=error.code)
        async with self._services.writing() as tx:
            if not await self._end(tx, run, outcome):
                return
            if outcome is not RunOutcome.DONE:
                await self._schedule_again(tx, run)
            elif run.kind is RunKind.REMOVE_PREVIOUS:
                await self._tell_previous_removed(tx, run)

    async def _remove(self, run: Run, registration: Registration) -> None:
        async with self._database.reading() as tx:
            secret = await secrets.get(tx, run.subject or "")
        if secret is None:
            return
        await self._take_out(run, registration, secret)
        async with self._database.transaction() as tx:
            await registrations.bump_version(tx, run.registration)
            if await runs.get(tx, run.id) is None:  # overruled: whatever did that sees to it
                return
            if await secrets.change(tx, secret.id, SecretState.REMOVED, since=[SecretState.CLOSED]):
                await self._tell_removed(tx, run, [secret.id])

    async def _tell_removed(self, tx: AsyncConnection, run: Run, removed: Sequence[str]) -> None:
        channel = self._services.settings.approval_channel
        now = self._clock.now()
        await unread_notices.tell_removed(
            tx, run.registration, removed, now, approval_channel=channel
        )

    async def _remove_previous(self, run: Run, registration: Registration) -> None:
        async with self._database.reading() as tx:
            secret = await secrets.get(tx, run.subject or "")
        if secret is not None and secret.retires_at is not None:
            await self._remove_key(run, registration, secret, SecretState.REPLACED)

    async def _tell_previous_removed(self, tx: AsyncConnection, run: Run) -> None:
        secret = await secrets.get(tx, run.subject or "")
        if secret is not None and secret.state is SecretState.REPLACED:
            now = self._clock.now()
            await history.write(tx, run.registration, Event.PREVIOUS_REMOVED, now=now)
            requester = await registrations.requester_of(tx, run.registration)
            await messages.add(tx, run.registration, MessageKind.RETIRED, requester)

    async def _remove_stray(self, run: Run, registration: Registration) -> None:
        if "application" not in registration.facts:
            return
        async with self._database.reading() as tx:
            live = await secrets.live(tx, run.registration)
        plan = Plan.from_json(dict(registration.plan or {}))
        await self._check_made(run, plan, registration.facts)
        context = self._step_context(run, plan, registration.facts)
        known = frozenset(secret.key_id for secret in live if secret.key_id)
        removed = await remove_strays(context, known)
        async with self._database.transaction() as tx:
            await registrations.bump_version(tx, run.registration)
            if await runs.get(tx, run.id) is None:  # what was closed since may still be there
                return
            gone = await secrets.confirm_removed(tx, run.registration)
            await self._tell_removed(tx, run, gone)
            await history.write(
                tx, run.registration, Event.SWEPT, now=self._clock.now(), removed=removed
            )

    async def _undo_all(self, run: Run, plan: Plan, facts: FactsByStep) -> None:
        await self._check_made(run, plan, facts)
        done = await self._undone(run)
        for stage in reversed(stages(plan)):
            for each in stage:
                if each.name not in done:
                    await self._undo_step(run, each, plan, facts)

    async def _undone(self, run: Run) -> frozenset[str]:
        """Return the steps whose objects this run has deleted, before it was begun again."""
        async with self._database.reading() as tx:
            found = await registrations.get(tx, run.registration)
        deleted = found.deleted if found else ()
        return frozenset(each.step for each in deleted if each.at >= run.created_at)

    async def _undo_step(self, run: Run, each: Step, plan: Plan, facts: FactsByStep) -> None:
        if each.undo is None or await self._open(run.id) is None:  # ended by another process
            return
        try:
            buried = await self._erase(run, each, plan, facts)
        except GraphError as error:
            raise failed(f"Delete {each.creates}", error) from None
        async with self._database.transaction() as tx:
            await registrations.bump_version(tx, run.registration, redraw_now=False)
            # Else a retry after half an undo would take for done what has been removed.
            await runs.delete_facts(tx, run.registration, each.name)
            if buried is not None:
                gone = Deleted(step=each.name, at=self._clock.now(), **buried)
                await registrations.add_deleted(tx, run.registration, gone)

    async def _erase(self, run: Run, each: Step, plan: Plan, facts: FactsByStep) -> Facts | None:
        return await each.undo(self._step_context(run, plan, facts)) if each.undo else None

    async def _finish(self, id: str, target: Status) -> None:
        async with self._services.writing() as tx:
            run = await runs.get(tx, id)
            if run is None or not await self._end(tx, run, RunOutcome(target)):
                return
            now, registration = self._clock.now(), run.registration
            await registrations.move(tx, registration, target)
            await registrations.update(tx, registration, deadline=None, failure=None)
            for secret in await secrets.live(tx, registration):
                await secrets.change(
                    tx, secret.id, SecretState.CLOSED, since=[secret.state], sealed=None
                )
            await secrets.confirm_removed(tx, registration)
            for kind in (
                TimerKind.REMOVE_STRAY,
                TimerKind.UNDO,
                TimerKind.REVOKE,
                TimerKind.REMOVE_PREVIOUS,
            ):
                await timers.cancel(tx, registration, kind)
            await history.write(tx, registration, Event(target), now=now)
            if target is Status.REVOKED:
                await self.tell(tx, run)
