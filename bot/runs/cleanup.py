"""The runs that clear up: an unread secret, stray secrets, all that a registration has made, and
what Entra's bin keeps of it."""

from collections.abc import Sequence

from bot.domain.approval_requests import RequestState
from bot.domain.events import Event
from bot.domain.registration import Deleted, Registration, RunOutcome, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason, Secret
from bot.runs.base import RunBase, failing, untampered
from bot.runs.journal import Superseded
from bot.storage import (
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
from bot.storage.runs import Run
from bot.storage.timers import TimerKind
from graph.removal import purge
from graph.step_context import Facts, Step, StepContext
from graph.steps import remove_strays, stages


class Cleanup(RunBase):
    """From something that should not be in Entra to its absence."""

    async def remove_unread(self, run: Run) -> None:
        """Take a secret that is no longer to be seen out of Entra."""
        secret = await self._taken_out(run)
        async with self._ending(run, RunOutcome.DONE) as (tx, now):
            if secret is not None:
                gone = await secrets.confirm_removed(tx, run.registration, now=now, only=secret.id)
                await secret_notices.tell_removed(tx, run.registration, gone, now)

    async def remove_previous(self, run: Run) -> None:
        """Take the secret that a newer one follows out of Entra, and say so to its requester."""
        secret = await self._taken_out(run)
        async with self._ending(run, RunOutcome.DONE) as (tx, now):
            if secret is not None:
                await secrets.note_removed(tx, secret.id, RemovalReason.FOLLOWED, now=now)
                await history.write(tx, run.registration, Event.PREVIOUS_REMOVED, now=now)
                await messages.add(tx, run.registration, MessageKind.RETIRED)

    async def _taken_out(self, run: Run) -> Secret | None:
        """Take the run's secret out of Entra, and return it. None if it is to stay."""
        secret = await self._database.read(secrets.get, run.subject or "")
        stays = run.kind is RunKind.REMOVE_PREVIOUS and secret and secret.remove_at is None
        if secret is None or stays:
            return None
        await self._take_out(run, await self._registration(run), secret)
        return secret

    async def remove_stray(self, run: Run) -> None:
        """Remove secrets that carry our id but not our key id: answers that were lost."""
        registration = await self._registration(run)
        is_made = "application" in registration.facts
        removed = await self._remove_strays(run, registration) if is_made else []
        async with self._ending(run, RunOutcome.DONE) as (tx, now):
            if is_made:
                gone = await secrets.confirm_removed(tx, run.registration, now=now)
                await secret_notices.tell_removed(tx, run.registration, gone, now)
                await history.write(tx, run.registration, Event.SWEPT, now=now, removed=removed)

    async def _remove_strays(self, run: Run, registration: Registration) -> Sequence[str]:
        """Return the key ids of the secrets that were removed. Raises StepFailed."""
        live = await self._database.read(secrets.live, run.registration)
        context = self._step_context(run, registration)
        await self._check_made(context)
        known = frozenset(secret.key_id for secret in live if secret.key_id)
        with failing("Remove stray secrets"):
            return await remove_strays(context, known)

    async def remove_everything(self, run: Run) -> None:
        """Remove exactly what a failed or a ready registration made, in reverse order."""
        registration, id = await self._registration(run), run.registration
        if registration.plan:  # without one, nothing was ever made
            await self._undo_all(run, registration)
        target = Status.UNDONE if run.kind is RunKind.UNDO else Status.REVOKED
        async with self._ending(run, RunOutcome(target)) as (tx, now):
            await registrations.move(tx, id, target)
            await registrations.update(tx, id, deadline=None, failure=None)
            for secret in await secrets.live(tx, id):
                because = RemovalReason.APPLICATION_DELETED
                await secrets.note_removed(tx, secret.id, because, now=now)
            await secrets.confirm_removed(tx, id, now=now)
            await timers.cancel_all(tx, id, but=TimerKind.MASK)
            await history.write(tx, id, Event(target), now=now)
            if target is Status.REVOKED:
                await messages.add_news(tx, id)

    async def _undo_all(self, run: Run, registration: Registration) -> None:
        context = self._step_context(run, registration)
        await self._check_made(context)
        # Those whose objects this run has deleted, before it was begun again.
        done = {each.step for each in registration.deleted if each.at >= run.created_at}
        for stage in reversed(stages(context.plan)):
            for each in stage:
                if each.name not in done:
                    await self._undo_step(run, each, context)

    async def _undo_step(self, run: Run, each: Step, context: StepContext) -> None:
        if each.undo is None:
            return
        if await self._database.read(runs.get, run.id) is None:
            raise Superseded
        with failing(f"Delete {each.creates}"):
            buried = await self._erase(each, context)
        async with self._database.transaction() as tx:
            await registrations.bump_version(tx, run.registration, redraw_now=False)
            # Else a retry after half an undo would take for done what has been removed.
            await runs.delete_facts(tx, run.registration, each.name)
            if buried is not None:
                gone = Deleted(step=each.name, at=self._clock.now(), **buried)
                await registrations.add_deleted(tx, run.registration, gone)

    async def _erase(self, each: Step, context: StepContext) -> Facts | None:
        """Do what the step's undo does in Entra. Scripted runs of the tests stand in for this."""
        return await each.undo(context) if each.undo else None

    async def purge(self, run: Run) -> None:
        """Purge every deleted object, which cannot be undone; those that Entra no longer has are
        done.
        """
        registration = await self._registration(run)
        context = self._step_context(run, registration)
        await self._check_asked_for(run, registration, context.plan.digest)
        with failing("Delete for good"):
            # The application first: if an administrator has restored it, nothing of it is touched.
            for each in sorted(registration.deleted, key=lambda it: it.step != "application"):
                await self._purge(context, each)
        async with self._ending(run, RunOutcome.PURGED) as (tx, now):
            await self._close_request(tx, run, RequestState.DONE)
            await registrations.update(tx, run.registration, purged_at=now, failure=None)
            await history.write(tx, run.registration, Event.PURGED, now=now)

    async def _check_asked_for(self, run: Run, registration: Registration, digest: str) -> None:
        """Check that approvers have approved to delete for good what this plan has made."""
        with untampered("Compare the request with history", "Nothing was deleted for good."):
            async with self._database.reading() as tx:
                await audit.check_purge(tx, registration, digest, run.subject)
                if run.subject is not None:  # else one approver has had it started, before 0007
                    await self._check_request(tx, run, registration)

    async def _purge(self, context: StepContext, each: Deleted) -> None:
        await purge(
            context,
            step=each.step,
            object_id=each.object_id,
            app_id=each.app_id,
            deleted_at=each.at,
        )
