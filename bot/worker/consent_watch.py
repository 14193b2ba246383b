"""Wait for an administrator's consent: look at the grants, and go on once all of them are there.

Each registration is looked at at most once a minute, and less often the longer it waits. A look
that has found nothing new changes one timer, so that many may wait at no cost.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from bot.domain.lifetimes import CONSENT_PAUSE, CONSENT_TTL
from bot.domain.registration import Registration, Status
from bot.domain.runs import Failure
from bot.runs.consent import STEP, ConsentOutcome, awaited
from bot.services import Services
from bot.storage import registrations, timers
from bot.storage.timers import Timer
from bot.worker.loops import Loop
from graph.consent import MOST_AT_ONCE, Awaited, Granted, look
from graph.errors import GraphError, NotFound
from graph.plan import Plan
from graph.retry import REPLICATION_TIME

log = structlog.get_logger()

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
        self._outcome = ConsentOutcome(services)
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
                await self._outcome.plan_next(tx, registration)
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
        those = [
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
                tenant.graph, those, tenant_cache=tenant.tenant_cache, now=self._clock.now()
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
                    await self._outcome.note(tx, current, found)
            return True
        if isinstance(found, NotFound) and _is_settled(registration, now):
            await self._fail(registration, GONE)
            return True
        if isinstance(found, Granted) and deadline is not None and deadline <= now:
            await self._fail(registration, TOO_LATE)
            return True
        return False

    async def _fail(self, registration: Registration, failure: Failure) -> None:
        async with self._services.writing() as tx:
            current = await registrations.locked(tx, registration.id)
            if current is not None and current.status is Status.WAITING_FOR_CONSENT:
                await self._outcome.fail(tx, current, failure)


def _is_news(registration: Registration, found: Granted) -> bool:
    """Whether this is another state than the one that is stored."""
    names = set(awaited(registration))
    had = {name for name in names if name in registration.facts}
    extras = registration.consent.extras if registration.consent else ()
    is_whole = names <= found.steps
    return is_whole or bool(found.foreign) or found.steps != had or found.extras != extras


def _is_settled(registration: Registration, now: datetime) -> bool:
    """Whether Entra has known the service principal for long enough to miss it."""
    made_at = registration.facts["service_principal"].get("created_at")
    return made_at is None or datetime.fromisoformat(made_at) + REPLICATION_TIME <= now
