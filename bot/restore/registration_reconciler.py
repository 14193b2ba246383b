"""Bring a registration of a restored copy to its state in the tenant."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import CARRIED_OUT_BY, RequestKind, RequestState
from bot.domain.events import Event, Subject
from bot.domain.lifetimes import UNDO_FAILED
from bot.domain.registration import RESTORED_MOVES, Deleted, Registration, RunOutcome, Status
from bot.domain.runs import Failure, RunKind
from bot.domain.secrets import RemovalReason, Secret, SecretState
from bot.runs.base import CLEANUP_TIMERS
from bot.storage import (
    approval_requests,
    consents,
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
from bot.worker.orphans import made_by
from graph.application import APPLICATION, SERVICE_PRINCIPAL
from graph.orphans import DeletedApplication, HeldSecret, TaggedApplication

VOID = "it was given before an older copy of the database was restored"
STOPPED = Failure(
    step="Restore",
    sentence="An older copy of the bot's database was restored while this was being set up.",
    advice="Press Retry to go on, or Undo to remove what was made.",
)
RESUMED = (RunKind.PLAN, RunKind.UNDO, RunKind.REVOKE)
"""Runs that start again: they read only, or they finish a removal."""
LATER = {RunKind.CHECK: TimerKind.CHECK, **CLEANUP_TIMERS}
"""Runs that come again by themselves, and the timers that start them."""
UNFINISHED = (Status.PENDING, Status.APPROVED, Status.WAITING_FOR_CONSENT, Status.FAILED)
"""States in which no secret was announced when the copy was made."""
UNCONFIRMED = (SecretState.SEALED, SecretState.CLAIMED)
"""States that may have changed since the copy."""


@dataclass(frozen=True, kw_only=True)
class TenantState:
    """The objects of one registration in the tenant."""

    application: TaggedApplication | None = None
    principal_id: str | None = None
    """The object id of its service principal, where the copy does not know the application."""
    deleted: DeletedApplication | None = None

    def holds(self, secret: Secret) -> bool:
        return any(each.key_id == secret.key_id for each in self._held)

    def unknown(self, known: Sequence[Secret]) -> tuple[HeldSecret, ...]:
        """Return the secrets that were made after the copy."""
        ids = {each.key_id for each in known}
        return tuple(each for each in self._held if each.key_id not in ids)

    @property
    def _held(self) -> tuple[HeldSecret, ...]:
        return self.application.held if self.application else ()


@dataclass(frozen=True)
class RegistrationReconciler:
    """Brings one registration to its state in the tenant, within one transaction."""

    tx: AsyncConnection
    copy: Registration
    shown: TenantState
    _: KW_ONLY
    since: datetime
    now: datetime

    async def reconcile(self) -> None:
        """Make all changes that the tenant shows, and tell the requester of them."""
        tx, id, copy = self.tx, self.copy.id, self.copy
        known = await secrets.of(tx, id)
        unknown = self.shown.unknown(known)
        # Nothing since the copy can have brought back one that was out of use.
        in_use = [it for it in known if it.is_live]
        doubtful = [it for it in in_use if self.shown.holds(it)]
        lost = [it for it in in_use if not self.shown.holds(it)]
        target = self._target(in_use=bool(unknown or doubtful))
        is_move = target is not copy.status
        # No run has announced the secret of a run that was at work, in any state.
        is_announced = copy.status is Status.READY
        unsure = [it for it in doubtful if it.state in UNCONFIRMED or not is_announced]
        is_new = self.shown.application is not None and made_by(copy) is None
        is_changed = any((is_move, unknown, unsure, lost, is_new, _waits(copy)))
        if not is_changed and copy.run is None:
            return
        await registrations.bump_version(tx, id)
        await self._stop_run(unknown=bool(unknown))
        await self._record(unknown, unsure)
        for secret in lost:
            was_unseen = secret.state is SecretState.SEALED
            because = RemovalReason.UNREAD if was_unseen else RemovalReason.REPLACED
            await secrets.note_removed(tx, secret.id, because, now=self.now)
        voided = await self._void()
        await self._move(target)
        await secret_notices.plan_expiry(tx, id)
        if is_changed:
            await self._tell(target, secrets=len(unknown) + len(unsure), votes=voided)

    def _target(self, *, in_use: bool) -> Status:
        """Return the registration's state now: revoked if its application is gone, ready if a
        secret may be in use.
        """
        status, is_there = self.copy.status, self.shown.application is not None
        if status is Status.PLANNING or status.is_end:
            return status
        if not is_there and (made_by(self.copy) or self.shown.deleted):
            return Status.REVOKED
        if status in UNFINISHED and in_use:
            return Status.READY if self.copy.plan else status
        return Status.FAILED if status is Status.APPROVED else status

    async def _stop_run(self, *, unknown: bool) -> None:
        """End the run of the copy, which the engine no longer knows."""
        tx, id = self.tx, self.copy.id
        run = await approval_requests.overrule(tx, self.copy, now=self.now)
        if run is None:
            return
        if run.kind in LATER and self.copy.status is Status.READY:
            secret = run.subject if run.kind is RunKind.REMOVE_PREVIOUS else None
            await timers.add(tx, id, LATER[run.kind], self.now, Subject(secret=secret or ""))
        for request in self.copy.requests:
            if request.kind is not RequestKind.PLAN and request.state is RequestState.APPROVED:
                is_done = unknown and request.kind is RequestKind.ROTATION
                state = RequestState.DONE if is_done else RequestState.FAILED
                await approval_requests.close(tx, id, request, state)

    async def _record(self, unknown: Sequence[HeldSecret], unsure: Sequence[Secret]) -> None:
        """Keep the objects made after the copy, as an ended run: they were announced, or may have
        been.
        """
        application = self.shown.application
        if application is None or not (unknown or unsure or made_by(self.copy) is None):
            return
        tx, kind = self.tx, RunKind.ADD_SECRET
        run = await runs.add(tx, registration=self.copy.id, kind=kind, now=self.now)
        if made_by(self.copy) is None:
            await self._record_steps(run, application)
        of = {"registration": self.copy.id, "run": run.id}
        for each in unknown:
            columns = asdict(each) | {"made_at": each.made_at or self.now}
            await secrets.add_unknown(tx, **of, **columns)
        for secret in unsure:
            await secrets.add_unknown(tx, **of, key_id=secret.key_id or "")
        if unknown:  # which of them is in use is not known, so none ends by itself
            await secrets.cancel_removals(tx, self.copy.id, self.now)
            await timers.cancel(tx, self.copy.id, TimerKind.REMOVE_PREVIOUS)
        await runs.end(tx, run.id, outcome=RunOutcome.HANDED_OVER, now=self.now)

    async def _record_steps(self, run: Run, application: TaggedApplication) -> None:
        """Note the steps that made the application, and their facts."""
        at = self.now.isoformat()
        application_facts = {
            "object_id": application.id,
            "app_id": application.app_id,
            "created_at": at,
        }
        made = [(APPLICATION, application_facts)]
        if (id := self.shown.principal_id) is not None:
            made.append((SERVICE_PRINCIPAL, {"object_id": id, "created_at": at}))
        planned = [
            PlannedStep(stage=number, name=step.name, title=step.title, lasting=step.lasting)
            for number, (step, _) in enumerate(made)
        ]
        await runs.list_steps(self.tx, run, planned)
        for step, facts in made:
            await runs.record(self.tx, run, step.name, facts, self.now)

    async def _void(self) -> int:
        """Have open approvals given again: they may have been withdrawn since. Return how many."""
        voided = 0
        for request in self.copy.waiting_requests:
            if request.kind is RequestKind.HANDOVER:
                state = RequestState.SUPERSEDED
                await approval_requests.close(self.tx, self.copy.id, request, state)
            for vote in request.approvals():
                void = replace(vote, void=VOID)
                await approval_requests.judge(self.tx, self.copy.id, request, void, now=self.now)
                voided += 1
        return voided

    async def _move(self, target: Status) -> None:
        tx, id, now = self.tx, self.copy.id, self.now
        is_move = target is not self.copy.status
        if is_move:
            await registrations.move(
                tx, id, target, moves=RESTORED_MOVES, failure=None, deadline=None
            )
            await consents.stop(tx, id)
        for kind in (TimerKind.REMOVE_UNREAD, TimerKind.REMIND_UNREAD, TimerKind.UNKNOWN):
            await timers.cancel(tx, id, kind)
        match target:
            case Status.REVOKED:
                await self._record_deletion()
            case Status.READY if is_move:
                await timers.cancel(tx, id, TimerKind.UNDO)
                await timers.add(tx, id, TimerKind.CHECK, now)  # against the plan in the copy
            case Status.READY:
                await registrations.update(tx, id, deadline=None)  # until which it was to be seen
            case Status.FAILED if is_move:
                until = now + UNDO_FAILED
                await registrations.update(tx, id, deadline=until, failure=STOPPED)
                await timers.add(tx, id, TimerKind.UNDO, until)
        if self.copy.run in RESUMED and not is_move:
            await runs.add(tx, registration=id, kind=self.copy.run, now=now)

    async def _record_deletion(self) -> None:
        """Note the deleted objects, as a revocation would have done."""
        tx, id, deleted = self.tx, self.copy.id, self.shown.deleted
        await timers.cancel_all(tx, id, but=TimerKind.MASK)
        for secret in await secrets.live(tx, id):
            because = RemovalReason.APPLICATION_DELETED
            await secrets.note_removed(tx, secret.id, because, now=self.now)
        await secrets.confirm_removed(tx, id, now=self.now)
        made = {
            step: facts["object_id"]
            for step, facts in self.copy.facts.items()
            if step in (APPLICATION.name, SERVICE_PRINCIPAL.name) and "object_id" in facts
        }
        # Only objects that the copy knows: tags can be copied, and noted objects can be purged.
        for step, object_id in made.items():
            gone = Deleted(
                step=step,
                object_id=object_id,
                app_id=self.copy.app_id,
                at=self.now,
                was_there=deleted is not None and deleted.app_id == self.copy.app_id,
            )
            await registrations.add_deleted(tx, id, gone)
        for step in self.copy.facts:
            await runs.delete_facts(tx, id, step)

    async def _tell(self, target: Status, *, secrets: int, votes: int) -> None:
        """Write the changes to history, and owe the requester a message."""
        copy = self.copy
        why = f"{copy.status} in the copy"
        if target is not copy.status:
            why += f", {target} in Entra"
        await history.write(
            self.tx,
            self.copy.id,
            Event.RESTORED,
            now=self.now,
            why=why,
            was=copy.status,
            became=target,
            secrets=secrets,
            votes=votes,
            restore=self.since.isoformat(),
        )
        await messages.add(self.tx, copy.id, MessageKind.RESTORED)


def _waits(copy: Registration) -> bool:
    """Whether approvers, a new secret or a purge are waited for, which a restore ends."""
    is_at_work = copy.run in (RunKind.REPLACE_SECRET, *CARRIED_OUT_BY)
    return is_at_work or bool(copy.waiting_requests)
