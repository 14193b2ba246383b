"""The keeper keeps promises: it starts owed runs, fires what is due, and buries dead runs.

It looks at storage whenever its bell rings and every few seconds anyway, so that a crash anywhere
between a commit and what it owes loses nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import ApprovalRequest, RequestState
from bot.domain.events import Event
from bot.domain.lifetimes import DAY, ENGINE_RETENTION
from bot.domain.registration import Registration, Status
from bot.domain.runs import Failure, RunKind
from bot.domain.secrets import SecretState
from bot.services import Services
from bot.storage import (
    decisions,
    expiry_notices,
    history,
    messages,
    registrations,
    retention,
    runs,
    secrets,
    timers,
    unread_notices,
)
from bot.storage.messages import MessageKind
from bot.storage.runs import Run
from bot.storage.timers import Timer, TimerKind
from bot.worker.engine import Died, Engine, Outcome
from bot.worker.loops import Loop, report_bug, run_guarded

log = structlog.get_logger()

BUSY = timedelta(minutes=1)
"""How long a due waits for the registration's open run, and what broke waits for another try."""
UNREADABLE = timedelta(hours=1)
"""How long a row that cannot be read is left alone: only a person can mend it."""
SUSPECT = 2
"""After so many failed attempts a run is started when no other such is at work, so that it takes
none along if it kills its process. Nobody sees which run does, so a death counts for all that were
at work: once may be anybody's fault."""
MOST = 5
"""After so many failed attempts a run is given up: that leaves room for two that kill processes."""
TURN = timedelta(minutes=20)
"""How long the other suspects wait for one: longer than any step waits for Entra, so that what
hangs does not keep them for ever. Whoever kills even later takes along those who came after it."""
OUTAGE = Failure(
    step="Sign in to Entra",
    sentence="Entra cannot be reached at the moment.",
    advice="This goes on by itself as soon as Entra answers.",
)
"""What a registration says whose run waits for Entra."""
AT_ONCE = 50
UNDOABLE = (Status.FAILED, Status.UNDONE, Status.DENIED, Status.CANCELLED, Status.EXPIRED)
"""What an undo that is late may still be for: one that was undone may have left something, and one
that had failed may have been denied, cancelled or expired since."""
LATE = {
    TimerKind.REMOVE_STRAY: RunKind.REMOVE_STRAY,
    TimerKind.UNDO: RunKind.UNDO,
    TimerKind.REVOKE: RunKind.REVOKE,
    TimerKind.CHECK: RunKind.CHECK,
    TimerKind.REMOVE_PREVIOUS: RunKind.REMOVE_PREVIOUS,
}
ONLY_FROM = {
    RunKind.UNDO: UNDOABLE,
    RunKind.REVOKE: (Status.REVOKING,),
    RunKind.CHECK: (Status.READY,),
    RunKind.REMOVE_PREVIOUS: (Status.READY,),
}
"""Runs that have lost their point if the registration has moved on."""


class Scheduler:
    """Compares what is owed with what is done."""

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
        """Which suspect may be at work, and since when."""
        self._again_at: dict[str, datetime] = {}
        """When to try a run again that broke here."""
        self._forgot_at: datetime | None = None
        self.loop = Loop("keeper", self.look, wakeup=services.wakeups.scheduler, every=every)

    async def look(self) -> None:
        """Look once at everything. What breaks is put off, and keeps nobody else waiting."""
        unreadable: dict[str, Exception] = {}
        async with self._database.reading() as tx:
            now = self._clock.now()
            come = await timers.find_due(tx, now, limit=AT_ONCE, unreadable=unreadable.__setitem__)
            owed = await runs.pending(tx, unreadable=self._report_unreadable)
        for id, error in unreadable.items():
            report_bug(f"due {id}", error)
            await self._postpone(id, UNREADABLE)
        await self._fire_timers(come)
        await self._start_runs(owed)
        await self._forget()

    def _report_unreadable(self, run: str, error: Exception) -> None:
        """Report a run that cannot be read, and not again at every look."""
        if self._may_try(run):
            report_bug(f"run {run}", error)
            self._again_at[run] = self._clock.now() + UNREADABLE

    async def _start_runs(self, owed: Sequence[Run]) -> None:
        if self._services.entra.missing is not None:
            await self._report_outage(owed)
            return
        if {run.id for run in owed} - self._seen:
            await self._quiet()  # of many clicks at once, all are answered before the work begins
        self._seen = {run.id for run in owed}
        for run in await self._may_start(owed):
            if not self._may_try(run.id):
                continue
            if await run_guarded(f"run {run.id}", partial(self._start_or_fail, run)):
                self._again_at[run.id] = self._clock.now() + BUSY

    def _may_try(self, run: str) -> bool:
        """Whether the run has not broken a moment ago."""
        return self._again_at.get(run, self._clock.now()) <= self._clock.now()

    async def _start_or_fail(self, run: Run) -> None:
        """Start it unless somebody carries it, or fail it: storage says that it is still open."""
        if run.attempts >= MOST:
            await self._fail_abandoned(run)
        elif not self._engine.is_at_work(run.id):
            match await self._engine.outcome(run.id):
                case Outcome.UNKNOWN:
                    await self._engine.start(run.id, run.kind)
                case Outcome.ENDED:
                    await self._fail_abandoned(run)

    async def _may_start(self, owed: Sequence[Run]) -> Sequence[Run]:
        """Leave out suspects but one: one that is at work already, else the oldest."""
        suspects = [run for run in owed if SUSPECT <= run.attempts < MOST]
        if not suspects:
            return owed
        at_work = [run for run in suspects if await self._is_begun(run)]
        first = next(iter(at_work or suspects))
        if self._turn is None or self._turn[0] != first.id:
            self._turn = first.id, self._clock.now()
        if self._clock.now() >= self._turn[1] + TURN:
            return owed
        return [run for run in owed if run is first or run not in suspects]

    async def _is_begun(self, run: Run) -> bool:
        """Whether a replica is at work on the run. While a call waits, it has no carrier."""
        return run.carried_by is not None or await self._engine.outcome(run.id) is Outcome.OPEN

    async def _report_outage(self, owed: Sequence[Run]) -> None:
        if owed and self._services.entra.is_out:
            async with self._database.transaction() as tx:
                await registrations.set_outage(tx, OUTAGE)

    async def _fail_abandoned(self, run: Run) -> None:
        """End it, unless it has just ended by itself."""
        async with self._database.reading() as tx:
            if await runs.get(tx, run.id) is None:
                return
        bug = uuid4().hex[:8]
        log.error("run given up", bug=bug, run=run.id, kind=run.kind)
        await self._died(run.id, bug)

    async def _forget(self) -> None:
        """Once a day, delete what ended long ago and nothing needs, here and in the engine."""
        now = self._clock.now()
        if self._forgot_at is None or now >= self._forgot_at + DAY:
            await self._engine.forget(before=now - ENGINE_RETENTION)
            kept_since = now - self._services.settings.retention
            await retention.delete_old(self._database, before=kept_since)
            self._forgot_at = now

    async def _fire_timers(self, come: Sequence[Timer]) -> None:
        for timer in come:
            what = f"due {timer.kind} of {timer.registration}"
            if await run_guarded(what, partial(self._fire_timer, timer)):
                await self._postpone(timer.id, BUSY)

    async def _postpone(self, due: str, wait: timedelta) -> None:
        async with self._database.transaction() as tx:
            await timers.postpone(tx, due, self._clock.now() + wait)

    async def _fire_timer(self, timer: Timer) -> None:
        async with self._services.writing() as tx:
            await registrations.bump_version(tx, timer.registration)
            if await timers.delete(tx, timer.id):
                await self._fire(tx, timer)

    async def _fire(self, tx: AsyncConnection, timer: Timer) -> None:
        match timer.kind:
            case TimerKind.EXPIRE:
                await self._expire(tx, timer)
            case TimerKind.REMIND:
                await self._remind(tx, timer)
            case TimerKind.MASK:
                await self._mask(tx, timer)
            case TimerKind.UNKNOWN:
                await self._mark_unknown(tx, timer)
            case TimerKind.REMOVE_UNREAD:
                await self._remove_unread(tx, timer)
            case TimerKind.REMIND_UNREAD:
                await unread_notices.remind(
                    tx, timer.registration, timer.subject.secret, self._clock.now()
                )
            case TimerKind.TELL_EXPIRY:
                await self._tell_expiry(tx, timer)
            case (
                TimerKind.REMOVE_STRAY
                | TimerKind.UNDO
                | TimerKind.REVOKE
                | TimerKind.CHECK
                | TimerKind.REMOVE_PREVIOUS
            ):
                await self._add_run(tx, timer, LATE[timer.kind])

    async def _expire(self, tx: AsyncConnection, timer: Timer) -> None:
        """Let a request expire that nobody has decided on."""
        if found := await self._waiting(tx, timer):
            state, now = RequestState.EXPIRED, self._clock.now()
            await decisions.end(tx, *found, state, now=now)

    async def _remind(self, tx: AsyncConnection, timer: Timer) -> None:
        """Tell the approvers once more, and come back after twice the time."""
        if found := await self._waiting(tx, timer):
            (registration, request), now = found, self._clock.now()
            id, channel = registration.id, self._services.settings.approval_channel
            await messages.add(tx, id, MessageKind.REMINDER, channel, subject=timer.subject)
            await history.write(tx, id, Event.REMINDED, now=now)
            await timers.remind_of(tx, id, request.id, request.asked_at, now)

    async def _waiting(
        self, tx: AsyncConnection, timer: Timer
    ) -> tuple[Registration, ApprovalRequest] | None:
        """Return the request that the timer is about, if it still waits."""
        found = await registrations.get(tx, timer.registration)
        request = found.request(timer.subject.request) if found else None
        return (found, request) if found and request in found.waiting_requests else None

    async def _mask(self, tx: AsyncConnection, timer: Timer) -> None:
        """Owe the mask: whoever posts messages lays it over the secret."""
        found = await registrations.get(tx, timer.registration)
        if found is not None:
            audience = found.requester.user_id
            await messages.add(
                tx, timer.registration, MessageKind.MASK, audience, subject=timer.subject
            )

    async def _mark_unknown(self, tx: AsyncConnection, timer: Timer) -> None:
        if await secrets.change(
            tx, timer.subject.secret, SecretState.UNKNOWN, since=[SecretState.CLAIMED]
        ):
            now = self._clock.now()
            await history.write(tx, timer.registration, Event.SECRET_UNKNOWN, now=now)
            await expiry_notices.plan(tx, timer.registration)

    async def _remove_unread(self, tx: AsyncConnection, timer: Timer) -> None:
        """Close the vault first: from here on nobody can be shown a secret that is going away."""
        if await self._is_busy(tx, timer):
            return
        if await secrets.change(
            tx, timer.subject.secret, SecretState.CLOSED, since=[SecretState.SEALED], sealed=None
        ):
            await self._add_run(tx, timer, RunKind.REMOVE_UNREAD)
            now = self._clock.now()
            await history.write(tx, timer.registration, Event.SECRET_UNREAD, now=now)
            await expiry_notices.plan(tx, timer.registration)  # an older one may be in use again

    async def _tell_expiry(self, tx: AsyncConnection, timer: Timer) -> None:
        """Tell it of the secret in use. While a newer one is on its way, look again tomorrow."""
        found = await registrations.get(tx, timer.registration)
        if found is None or found.status is not Status.READY:
            return
        now, told = self._clock.now(), timer.subject
        if found.awaits_secret:
            await timers.add(tx, found.id, timer.kind, now + DAY, subject=timer.subject)
            return
        secret = found.secret_in_use
        if secret is not None and secret.id == told.secret and told.stage is not None:
            channel = self._services.settings.approval_channel
            await expiry_notices.tell(
                tx, found, secret, now, since=told.stage, approval_channel=channel
            )
        await expiry_notices.plan(tx, found.id)

    async def _add_run(self, tx: AsyncConnection, timer: Timer, kind: RunKind) -> None:
        if await self._is_busy(tx, timer):
            return
        found = await registrations.get(tx, timer.registration)
        if found is None or (kind in ONLY_FROM and found.status not in ONLY_FROM[kind]):
            return
        await runs.add(
            tx,
            registration=timer.registration,
            kind=kind,
            subject=timer.subject.text,
            now=self._clock.now(),
        )

    async def _is_busy(self, tx: AsyncConnection, timer: Timer) -> bool:
        """Whether a run is at work; then the due comes back later."""
        if not await runs.is_busy(tx, timer.registration):
            return False
        later = self._clock.now() + BUSY
        await timers.add(tx, timer.registration, timer.kind, later, subject=timer.subject)
        return True
