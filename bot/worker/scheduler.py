"""Start pending runs, fire due timers, fail abandoned runs.

The scheduler looks at storage when it is woken and every few seconds anyway, so that a crash after
a commit loses nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import RequestState
from bot.domain.events import Event
from bot.domain.lifetimes import DAY, ENGINE_RETENTION
from bot.domain.registration import Registration, Status
from bot.domain.runs import Failure, RunKind
from bot.domain.secrets import RemovalReason, SecretState
from bot.services import Services
from bot.storage import (
    approval_requests,
    consents,
    history,
    messages,
    registrations,
    retention,
    runs,
    secret_notices,
    secrets,
    sign_ins,
    timers,
)
from bot.storage.messages import MessageKind
from bot.storage.runs import Run
from bot.storage.timers import Timer, TimerKind
from bot.worker.engine import Died, Engine, Outcome
from bot.worker.loops import Loop, report_bug, run_guarded

log = structlog.get_logger()

BUSY = timedelta(minutes=1)
"""How long a timer waits for the registration's open run, and for another try after a bug."""
UNREADABLE = timedelta(hours=1)
"""How long a row that cannot be read is left alone: only a person can mend it."""
SUSPECT = 2
"""After so many failed attempts a run is started only while no other such run is at work. After a
crash it is unknown which run caused it, so it counts as a failed attempt for all that were at work:
once may be the fault of any."""
MOST = 5
"""After so many failed attempts a run is given up: enough even if two runs kill processes."""
TURN = timedelta(minutes=20)
"""How long the other suspects wait for one: longer than any step waits for Entra, so that one
that hangs does not keep them waiting for ever."""
OUTAGE = Failure(
    step="Sign in to Entra",
    sentence="Entra cannot be reached at the moment.",
    advice="This goes on by itself as soon as Entra answers.",
)
"""Shown by registrations whose run waits for Entra."""
AT_ONCE = 50
AFTER_START = timedelta(minutes=5)
"""When old records are deleted first: a start has better things to do, and a process that is often
restarted still comes to it."""
UNDOABLE = (Status.FAILED, Status.UNDONE, Status.DENIED, Status.CANCELLED, Status.EXPIRED)
"""States in which a late undo has something to do: an earlier undo may have left something, and a
failed registration may have been denied, cancelled or expired since."""
RUNS = {
    TimerKind.REMOVE_UNREAD: RunKind.REMOVE_UNREAD,
    TimerKind.REMOVE_STRAY: RunKind.REMOVE_STRAY,
    TimerKind.UNDO: RunKind.UNDO,
    TimerKind.REVOKE: RunKind.REVOKE,
    TimerKind.CHECK: RunKind.CHECK,
    TimerKind.REMOVE_PREVIOUS: RunKind.REMOVE_PREVIOUS,
}
"""Timers that start a run; while another run is at work, they come back later."""
ONLY_FROM = {
    RunKind.UNDO: UNDOABLE,
    RunKind.REVOKE: (Status.REVOKING,),
    RunKind.CHECK: (Status.READY,),
    RunKind.REMOVE_PREVIOUS: (Status.READY,),
}
"""Runs that have no purpose once the registration is in another state."""


class Scheduler:
    """Starts runs and fires timers."""

    def __init__(
        self,
        services: Services,
        engine: Engine,
        *,
        died: Died,
        quiet: Callable[[], Awaitable[object]],
        every: float,
    ) -> None:
        """Call `died` for an abandoned run. Await `quiet` before new runs start."""
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self._engine = engine
        self._died = died
        self._quiet = quiet
        self._seen: set[str] = set()
        self._turn: tuple[str, datetime] | None = None
        """The suspect that may be at work, and since when."""
        self._again_at: dict[str, datetime] = {}
        """When to retry a run that could not be started."""
        self._forget_at = self._clock.now() + AFTER_START
        self.loop = Loop("scheduler", self.look, wakeup=services.wakeups.scheduler, every=every)

    async def look(self) -> None:
        """Fire all timers, start all runs. What fails is put off, and delays nothing else."""
        due = await timers.readable(self._database, self._clock.now(), limit=AT_ONCE)
        pending = await self._database.read(runs.pending, unreadable=self._report_unreadable)
        await self._fire_timers(due)
        await self._start_runs(pending)
        await self._forget()

    def _report_unreadable(self, run: str, error: Exception) -> None:
        """Report a run that cannot be read, but not at every look."""
        if self._may_try(run):
            report_bug(f"run {run}", error)
            self._again_at[run] = self._clock.now() + UNREADABLE

    async def _start_runs(self, pending: Sequence[Run]) -> None:
        if self._services.entra.missing is not None:
            if pending and self._services.entra.tried.is_set():
                await self._database.write(registrations.set_outage, OUTAGE)
            return
        if {run.id for run in pending} - self._seen:
            await self._quiet()  # of many clicks at once, all are answered before the work begins
        self._seen = {run.id for run in pending}
        for run in await self._may_start(pending):
            if not self._may_try(run.id):
                continue
            if await run_guarded(f"run {run.id}", partial(self._start_or_fail, run)):
                self._again_at[run.id] = self._clock.now() + BUSY

    def _may_try(self, run: str) -> bool:
        """Whether the run may be started: not just after a bug."""
        return self._again_at.get(run, self._clock.now()) <= self._clock.now()

    async def _start_or_fail(self, run: Run) -> None:
        """Start the run unless it is at work, or fail it if the engine has given it up."""
        if run.attempts >= MOST:
            await self._fail_abandoned(run)
        elif not self._engine.is_at_work(run.id):
            match await self._engine.outcome(run.id):
                case Outcome.UNKNOWN:
                    await self._engine.start(run.id, run.kind)
                case Outcome.ENDED:
                    await self._fail_abandoned(run)

    async def _may_start(self, pending: Sequence[Run]) -> Sequence[Run]:
        """Leave out suspects but one: one that is at work already, else the oldest."""
        suspects = [run for run in pending if SUSPECT <= run.attempts < MOST]
        if not suspects:
            return pending
        at_work = [run for run in suspects if await self._is_begun(run)]
        first = next(iter(at_work or suspects))
        if self._turn is None or self._turn[0] != first.id:
            self._turn = first.id, self._clock.now()
        if self._clock.now() >= self._turn[1] + TURN:
            return pending
        return [run for run in pending if run is first or run not in suspects]

    async def _is_begun(self, run: Run) -> bool:
        """Whether a replica is at work on the run. While a call waits, it has no carrier."""
        return run.carried_by is not None or await self._engine.outcome(run.id) is Outcome.OPEN

    async def _fail_abandoned(self, run: Run) -> None:
        """Fail the run, unless it has just ended by itself."""
        if await self._database.read(runs.get, run.id) is None:
            return
        bug = uuid4().hex[:8]
        log.error("run given up", bug=bug, run=run.id, kind=run.kind)
        await self._died(run.id, bug)

    async def _forget(self) -> None:
        """Soon after the start, and then once a day, delete expired records, here and in the
        engine.
        """
        now = self._clock.now()
        if now >= self._forget_at:
            await self._engine.forget(before=now - ENGINE_RETENTION)
            kept_since = now - self._services.settings.retention
            await retention.delete_old(self._database, before=kept_since)
            await self._database.write(sign_ins.forget_expired, now)
            self._forget_at = now + DAY

    async def _fire_timers(self, due: Sequence[Timer]) -> None:
        for timer in due:
            what = f"timer {timer.kind} of {timer.registration}"
            if await run_guarded(what, partial(self._fire_timer, timer)):
                await self._database.write(timers.postpone, timer.id, self._clock.now() + BUSY)

    async def _fire_timer(self, timer: Timer) -> None:
        async with self._services.writing() as tx:
            registration = await registrations.locked(tx, timer.registration)
            if registration is not None and await timers.delete(tx, timer.id):
                await self._fire(tx, timer, registration)

    async def _fire(self, tx: AsyncConnection, timer: Timer, registration: Registration) -> None:
        now, id, subject = self._clock.now(), registration.id, timer.subject
        if timer.kind in RUNS and registration.run is not None:
            await timers.add(tx, id, timer.kind, now + BUSY, subject)
            return
        match timer.kind:
            case TimerKind.EXPIRE | TimerKind.REMIND:
                await self._expire_or_remind(tx, timer, registration)
            case TimerKind.MASK:
                await messages.add(tx, id, MessageKind.MASK, subject=subject)
            case TimerKind.UNKNOWN:
                if await secrets.change(
                    tx, subject.secret, SecretState.UNKNOWN, since=[SecretState.CLAIMED]
                ):
                    await history.write(tx, id, Event.SECRET_UNKNOWN, now=now)
                    await secret_notices.plan_expiry(tx, id)
            case TimerKind.REMOVE_UNREAD:
                # From here on a secret that is about to be removed cannot be shown.
                if await secrets.close(tx, subject.secret, RemovalReason.UNREAD, now=now):
                    await self._add_run(tx, timer, registration)
                    await history.write(tx, id, Event.SECRET_UNREAD, now=now)
                    await secret_notices.plan_expiry(tx, id)  # an older one may be in use again
            case TimerKind.REMIND_UNREAD:
                await secret_notices.remind(tx, registration, subject.secret, now)
            case TimerKind.REMIND_CONSENT:
                await consents.remind(tx, registration, now=now)
            case TimerKind.TELL_EXPIRY:
                await self._tell_expiry(tx, timer, registration)
            case _:
                await self._add_run(tx, timer, registration)

    async def _expire_or_remind(
        self, tx: AsyncConnection, timer: Timer, registration: Registration
    ) -> None:
        """End an undecided request, or remind the approvers of it."""
        now, id = self._clock.now(), registration.id
        request = registration.request(timer.subject.request)
        if request is None or request not in registration.waiting_requests:
            return
        if timer.kind is TimerKind.EXPIRE:
            await approval_requests.end(tx, registration, request, RequestState.EXPIRED, now=now)
        else:
            await messages.add(tx, id, MessageKind.REMINDER, subject=timer.subject)
            await history.write(tx, id, Event.REMINDED, now=now)
            await timers.remind_of(tx, id, request.id, request.asked_at, now)

    async def _tell_expiry(
        self, tx: AsyncConnection, timer: Timer, registration: Registration
    ) -> None:
        """Tell it of the secret in use. While a newer one is on its way, look again tomorrow."""
        if registration.status is not Status.READY:
            return
        now, told = self._clock.now(), timer.subject
        if registration.awaits_secret:
            await timers.add(tx, registration.id, timer.kind, now + DAY, told)
            return
        secret = registration.secret_in_use
        if secret is not None and secret.id == told.secret and told.stage is not None:
            await secret_notices.tell_expiry(tx, registration, secret, now, since=told.stage)
        await secret_notices.plan_expiry(tx, registration.id)

    async def _add_run(self, tx: AsyncConnection, timer: Timer, registration: Registration) -> None:
        kind, subject = RUNS[timer.kind], timer.subject.text
        if kind not in ONLY_FROM or registration.status in ONLY_FROM[kind]:
            id, now = registration.id, self._clock.now()
            await runs.add(tx, registration=id, kind=kind, subject=subject, now=now)
