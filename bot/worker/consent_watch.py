"""Wait for an administrator's consent: look at the grants, and go on once all of them are there.

Each registration is looked at at most once a minute, and less often the longer it waits. A look
that has found nothing new changes one timer, so that many may wait at no cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.lifetimes import CONSENT_LONGEST_PAUSE, CONSENT_PAUSE, CONSENT_TTL, UNDO_FAILED
from bot.domain.registration import Check, Consent, Registration, Status
from bot.domain.runs import Failure, RunKind
from bot.services import Services
from bot.storage import history, messages, registrations, runs, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import Timer, TimerKind
from bot.worker.loops import Loop
from graph.consent import MOST_AT_ONCE, Awaited, Granted, look
from graph.errors import GraphError, NotFound
from graph.plan import Plan
from graph.retry import REPLICATION_TIME
from graph.steps import stages

log = structlog.get_logger()

SHARE = 10
"""The pause before the next look is this part of the time since it began to wait."""
STEP = "Admin consent"
TOO_LATE = Failure(
    step=STEP,
    sentence=f"No administrator has consented within {CONSENT_TTL.days} days.",
    advice="Press Undo to remove the application; after that, Ask again asks for a new approval.",
)
GONE = Failure(
    step=STEP,
    sentence="The service principal was deleted in Entra while it waited for consent.",
    advice="Press Undo; after that, Ask again asks for a new one.",
)


class ConsentWatch:
    """Looks at the grants of registrations that wait for an administrator."""

    def __init__(self, services: Services, *, every: float) -> None:
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self.loop = Loop("consent", self.look, every=every)

    async def look(self) -> None:
        """Look at the registrations that are due, as many as one call of Graph covers."""
        if self._services.entra.missing is not None:
            return
        due = await self._claimed()
        if not due:
            return
        async with self._database.reading() as tx:
            read = [await registrations.get(tx, each.registration) for each in due]
        waiting = [it for it in read if it and it.status is Status.WAITING_FOR_CONSENT]
        found = await self._read(waiting)
        unchanged = [it for it in waiting if not await self._judge(it, found.get(it.id))]
        async with self._database.transaction() as tx:
            for registration in unchanged:
                await self._plan_next(tx, registration)
        if len(due) == MOST_AT_ONCE:
            self.loop.look_now()

    async def _claimed(self) -> Sequence[Timer]:
        """Return the timers that are due, and put them off, so that no replica looks, too."""
        now = self._clock.now()
        async with self._database.reading() as tx:
            due = await timers.find_due_consents(tx, now, limit=MOST_AT_ONCE)
        if not due:
            return ()
        async with self._database.transaction() as tx:
            return [each for each in due if await timers.claim(tx, each, until=now + CONSENT_PAUSE)]

    async def _read(self, waiting: Sequence[Registration]) -> Mapping[str, Granted | GraphError]:
        awaited = [
            Awaited(
                registration=each.id,
                principal_id=str(each.facts["service_principal"]["object_id"]),
                plan=Plan.from_json(dict(each.plan or {})),
            )
            for each in waiting
        ]
        tenant = self._services.tenant
        try:
            return await look(
                tenant.graph, awaited, tenant_cache=tenant.tenant_cache, now=self._clock.now()
            )
        except GraphError as error:
            log.warning("consent not looked at", code=error.code, request=error.request_id)
            return {}

    async def _judge(self, registration: Registration, found: Granted | GraphError | None) -> bool:
        """Bring a registration to what was found. False if that is nothing new."""
        now, deadline = self._clock.now(), registration.deadline
        if isinstance(found, Granted) and _is_news(registration, found):
            async with self._services.writing() as tx:
                current = await registrations.locked(tx, registration.id)
                if current is not None and current.status is Status.WAITING_FOR_CONSENT:
                    await self._apply(tx, current, found)
            return True
        if isinstance(found, NotFound) and _is_settled(registration, now):
            await self._fail(registration, GONE)
            return True
        if isinstance(found, Granted) and deadline is not None and deadline <= now:
            await self._fail(registration, TOO_LATE)
            return True
        return False

    async def _plan_next(self, tx: AsyncConnection, registration: Registration) -> None:
        """Let the next look come: the longer it waits, the later."""
        now, deadline = self._clock.now(), registration.deadline or self._clock.now()
        waited = now - (deadline - CONSENT_TTL)
        pause = min(max(waited / SHARE, CONSENT_PAUSE), CONSENT_LONGEST_PAUSE)
        at = max(min(now + pause, deadline), now + CONSENT_PAUSE)
        await timers.move(tx, registration.id, TimerKind.CONSENT, at)

    async def _apply(self, tx: AsyncConnection, registration: Registration, found: Granted) -> None:
        """Note what was granted, and go on, fail, or wait for the rest."""
        id, now, awaited = registration.id, self._clock.now(), _awaited(registration)
        if found.foreign:
            for name in awaited:  # a retry looks at all of them again
                await runs.note_granted(tx, id, name, None)
            await self._alarm(tx, registration, found)
            return
        had = {name for name in awaited if name in registration.facts}
        withdrawn = sorted(had - found.steps)
        for name in sorted(found.steps - had):
            await runs.note_granted(tx, id, name, now)
        for name in withdrawn:
            await runs.note_granted(tx, id, name, None)
        if withdrawn:
            await history.write(tx, id, Event.CONSENT_WITHDRAWN, now=now, steps=withdrawn)
        before = registration.consent.withdrawn if registration.consent else ()
        missing = tuple(sorted((set(before) | set(withdrawn)) - found.steps))
        consent = Consent(at=now, extras=found.extras, withdrawn=missing)
        await registrations.set_consent(tx, id, consent)
        if set(awaited) <= found.steps:
            await self._go_on(tx, registration)
        else:
            await self._plan_next(tx, registration)

    async def _go_on(self, tx: AsyncConnection, registration: Registration) -> None:
        id, now = registration.id, self._clock.now()
        await registrations.move(tx, id, Status.APPROVED, deadline=None)
        await self._stop_waiting(tx, id)
        await runs.add(tx, registration=id, kind=RunKind.REGISTER, now=now)
        await history.write(tx, id, Event.CONSENT_GIVEN, now=now)

    async def _alarm(self, tx: AsyncConnection, registration: Registration, found: Granted) -> None:
        """Stop, and tell the approvers: somebody has granted more than was approved."""
        sentences = " ".join(found.foreign)
        failure = Failure(
            step=STEP,
            sentence=f"More was granted than was approved. {sentences}",
            advice="Remove it in the Entra admin centre and press Retry, or press Undo.",
        )
        now, channel = self._clock.now(), self._services.settings.approval_channel
        await self._end(tx, registration, failure)
        check = Check(at=now, differences=found.foreign, alarming=found.foreign)
        await registrations.set_check(tx, registration.id, check)
        await messages.add(tx, registration.id, MessageKind.ALARM, channel)
        ids = {"registration": registration.id, "count": len(found.foreign)}
        log.warning("granted in Entra and not approved", **ids)

    async def _fail(self, registration: Registration, failure: Failure) -> None:
        async with self._services.writing() as tx:
            current = await registrations.locked(tx, registration.id)
            if current is not None and current.status is Status.WAITING_FOR_CONSENT:
                await self._end(tx, current, failure)

    async def _end(self, tx: AsyncConnection, registration: Registration, failure: Failure) -> None:
        id, now = registration.id, self._clock.now()
        until = now + UNDO_FAILED
        await registrations.move(tx, id, Status.FAILED, deadline=until, failure=asdict(failure))
        await self._stop_waiting(tx, id)
        await timers.add(tx, id, TimerKind.UNDO, until)
        await messages.add_news(tx, id, registration.requester.user_id)
        await history.write(tx, id, Event.FAILED, now=now, run=RunKind.REGISTER, code="consent")

    async def _stop_waiting(self, tx: AsyncConnection, id: str) -> None:
        for kind in (TimerKind.CONSENT, TimerKind.REMIND_CONSENT):
            await timers.cancel(tx, id, kind)


def _awaited(registration: Registration) -> Sequence[str]:
    """Return the names of the steps that an administrator takes."""
    plan = Plan.from_json(dict(registration.plan or {}))
    return [each.name for stage in stages(plan) for each in stage if each.is_awaited]


def _is_news(registration: Registration, found: Granted) -> bool:
    """Whether this is another state than the one that is stored."""
    awaited = set(_awaited(registration))
    had = {name for name in awaited if name in registration.facts}
    extras = registration.consent.extras if registration.consent else ()
    is_whole = awaited <= found.steps
    return is_whole or bool(found.foreign) or found.steps != had or found.extras != extras


def _is_settled(registration: Registration, now: datetime) -> bool:
    """Whether Entra has known the service principal for long enough to miss it."""
    made_at = registration.facts["service_principal"].get("created_at")
    return made_at is None or datetime.fromisoformat(made_at) + REPLICATION_TIME <= now
