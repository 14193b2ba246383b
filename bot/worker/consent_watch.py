"""Wait for an administrator's consent: look at the grants, and go on once all of them are there.

Each registration is looked at at most once a minute, and less often the longer it waits. A look
that has found nothing new changes one timer, so that many may wait at no cost. Reads lag, so a loss
and a thing that was not approved are believed at the second look.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import structlog
from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.lifetimes import CONSENT_LONGEST_PAUSE, CONSENT_PAUSE, CONSENT_TTL
from bot.domain.registration import Consent, Registration, Status
from bot.domain.runs import Failure
from bot.runs.consent import MORE, REMOVE, awaited_of, is_whole, note, seen
from bot.services import Services
from bot.storage import consents, registrations, secrets, timers
from bot.storage.timers import Timer
from bot.worker.loops import Loop, run_guarded
from graph.consent import MOST_AT_ONCE, Awaited, Granted, look
from graph.errors import GraphError, NotFound, NotOurs
from graph.retry import REPLICATION_TIME

log = structlog.get_logger()

SHARE = 10
"""The pause before the next look is this part of the time since it began to wait."""
LOOK_SECONDS = 20.0
"""Real seconds for reading: the next look comes anyway, and a stop waits for this one."""
BETWEEN_SECONDS = 0.25
"""Real seconds before each call of Graph: when 1,000 are due at once, clicks and runs come in
between, and all are still looked at within a minute.
"""
REMEMBERED = 2000
"""As many registrations are not read from the database before each look."""
UNREADABLE = CONSENT_LONGEST_PAUSE
"""How long a row that cannot be read is left alone."""
STEP = "Admin consent"
GIVEN_UP = timedelta(days=1)
"""So long after its deadline a wait ends even if its grants, or its own rows, cannot be read."""
THEN = "It is being undone; after that, Ask again asks for a new approval."


class Ending(NamedTuple):
    """How a wait ends without consent."""

    code: str
    failure: Failure
    may_be_retried: bool = False


def _undone(code: str, sentence: str) -> Ending:
    """Return the end of a wait that cannot be retried."""
    return Ending(code, Failure(step=STEP, sentence=sentence, advice=THEN))


TOO_LATE = _undone("ConsentLate", f"No administrator has consented within {CONSENT_TTL.days} days.")
UNSEEN = _undone(
    "ConsentUnseen",
    "For a day after the deadline the bot could not see whether an administrator had consented.",
)
GONE = _undone(
    "ConsentGone",
    "The application or its service principal was deleted in Entra while it waited.",
)
FOREIGN = Ending(
    "ConsentForeign", Failure(step=STEP, sentence=MORE, advice=REMOVE), may_be_retried=True
)


Waiting = tuple[Timer, Registration, Awaited]
"""A registration that waits, with the timer of this look."""


class ConsentWatch:
    """Looks at the grants of registrations that wait for an administrator."""

    def __init__(self, services: Services, *, every: float) -> None:
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self._loaded: LRUCache[str, tuple[Registration, Awaited]] = LRUCache(REMEMBERED)
        calm = min(every, BETWEEN_SECONDS)
        self.loop = Loop("consent", self.look, every=every, calm=calm)

    async def look(self) -> None:
        """Look at the registrations that are due, as many as one call of Graph covers."""
        if self._services.entra.missing is not None:
            return
        due = await self._claimed()
        waiting: dict[str, Waiting] = {}
        for timer in await self._add_unchanged(due, waiting):
            if not await self._guarded(timer, partial(self._load, timer, waiting)):
                await self._guarded(timer, partial(self._give_up, timer.registration))
        if waiting:
            await self._read_and_judge(waiting)
        if len(due) == MOST_AT_ONCE:
            self.loop.wakeup.set()

    async def _read_and_judge(self, waiting: Mapping[str, Waiting]) -> None:
        found = await self._read([awaited for _, _, awaited in waiting.values()])
        unchanged: list[Waiting] = []
        for id, it in waiting.items():
            await self._guarded(it[0], partial(self._judge, it, found.get(id), unchanged))
        later = [(timer, at) for timer, it, _ in unchanged if (at := self._next_look(it))]
        if later:
            async with self._database.transaction() as tx:
                for timer, at in later:
                    await timers.claim(tx, timer, until=at)

    async def _guarded(self, timer: Timer, act: Callable[[], Awaitable[None]]) -> bool:
        """Do it for one registration, and return whether it was done. What fails is put off, and
        delays nothing else.
        """
        if await run_guarded(f"consent of {timer.registration}", act) is None:
            return True
        self._loaded.pop(timer.registration, None)  # what is damaged now is to be found so
        async with self._database.transaction() as tx:
            await timers.postpone(tx, timer.id, self._clock.now() + UNREADABLE)
        return False

    async def _claimed(self) -> Sequence[Timer]:
        """Return the timers that are due, and put them off, so that no replica looks, too."""
        now, database = self._clock.now(), self._database
        due = await timers.readable(database, now, limit=MOST_AT_ONCE, of_consent=True)
        if not due:
            return ()
        until = now + CONSENT_PAUSE
        async with self._database.transaction() as tx:
            return [
                replace(each, at=until) for each in due if await timers.claim(tx, each, until=until)
            ]

    async def _add_unchanged(
        self, due: Sequence[Timer], waiting: dict[str, Waiting]
    ) -> Sequence[Timer]:
        """Add the registrations that are as they were read last to `waiting`, and return the timers
        of the others.
        """
        ids = [each.registration for each in due]
        versions = await self._database.read(registrations.versions, ids) if ids else {}
        for timer in due:
            known = self._loaded.get(timer.registration)
            if known is not None and known[0].version == versions.get(timer.registration):
                waiting[timer.registration] = timer, *known
        return [each for each in due if each.registration not in waiting]

    async def _load(self, timer: Timer, waiting: dict[str, Waiting]) -> None:
        """Read a registration that waits. The timer of one that does not has lost its point."""
        self._loaded.pop(timer.registration, None)
        async with self._database.reading() as tx:
            registration = await registrations.get(tx, timer.registration)
            closing = await secrets.closing(tx, timer.registration)
        if registration is not None and registration.status is Status.WAITING_FOR_CONSENT:
            awaited = awaited_of(registration, closing)
            self._loaded[registration.id] = registration, awaited
            waiting[registration.id] = timer, registration, awaited
            return
        async with self._database.transaction() as tx:
            await timers.delete(tx, timer.id)

    async def _give_up(self, id: str) -> None:
        """End a wait whose rows cannot be read, once it is long over."""
        now = self._clock.now()
        async with self._services.writing() as tx:
            current = await registrations.locked(tx, id)
            is_waiting = current is not None and current.status is Status.WAITING_FOR_CONSENT
            if current is not None and is_waiting and _is_long_over(current, now):
                await self._end(tx, current, UNSEEN, Consent(at=now))

    async def _read(self, awaited: Sequence[Awaited]) -> Mapping[str, Granted | GraphError]:
        tenant = self._services.tenant
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await look(
                    tenant.graph, awaited, tenant_cache=tenant.tenant_cache, now=self._clock.now()
                )
        except (GraphError, TimeoutError) as error:
            log.warning("consent not looked at", code=getattr(error, "code", "TimeoutError"))
            return {}

    async def _judge(
        self, waiting: Waiting, found: Granted | GraphError | None, unchanged: list[Waiting]
    ) -> None:
        """Bring a registration to what was found, and plan the next look, or leave both to the
        caller.
        """
        (timer, registration, _), now = waiting, self._clock.now()
        before = registration.consent or Consent(at=now)
        after, ending = seen(before, found, now), _ending(registration, before, found, now)
        goes_on = isinstance(found, Granted) and is_whole(registration, found)
        if ending is None and not goes_on and replace(after, at=before.at) == before:
            unchanged.append(waiting)
            return
        async with self._services.writing() as tx:
            current = await registrations.locked(tx, registration.id)
            # Whatever has changed it meanwhile, this look may be older. The next one comes soon.
            if current is None or current.version != registration.version + 1:
                return
            if current.status is not Status.WAITING_FOR_CONSENT:
                return
            await note(tx, current, after, found, now=now)
            if ending is not None:
                await self._end(tx, current, ending, after)
            elif goes_on and current.run is None:
                await consents.go_on(tx, current.id, now=now)
            elif at := self._next_look(current):
                await timers.claim(tx, timer, until=at)

    def _next_look(self, registration: Registration) -> datetime | None:
        """Return when the next look comes, if later than when this one's claim ends."""
        now, deadline = self._clock.now(), registration.deadline or self._clock.now()
        waited = now - (deadline - CONSENT_TTL)
        if waited / SHARE <= CONSENT_PAUSE:
            return None
        pause = min(waited / SHARE, CONSENT_LONGEST_PAUSE)
        return max(min(now + pause, deadline), now + CONSENT_PAUSE)

    async def _end(
        self, tx: AsyncConnection, registration: Registration, ending: Ending, after: Consent
    ) -> None:
        now, foreign = self._clock.now(), after.foreign
        sentence = " ".join([ending.failure.sentence, *foreign])
        await consents.fail(
            tx,
            registration,
            replace(ending.failure, sentence=sentence),
            code=ending.code,
            now=now,
            may_be_retried=ending.may_be_retried,
            foreign=foreign,
        )
        if ending is FOREIGN:
            await consents.alarm(tx, registration.id, foreign, now=now)
        ids = {"registration": registration.id, "code": ending.code, "foreign": len(foreign)}
        log.warning("consent not given", **ids)


def _ending(
    registration: Registration,
    before: Consent,
    found: Granted | GraphError | None,
    now: datetime,
) -> Ending | None:
    """Return how the wait ends now, if it does."""
    is_late = registration.deadline is not None and registration.deadline <= now
    match found:
        case None:  # an outage, which is waited for
            return UNSEEN if _is_long_over(registration, now) else None
        case Granted() if found.foreign:
            return FOREIGN if before.foreign else None
        case Granted():
            return TOO_LATE if is_late and not is_whole(registration, found) else None
        case NotOurs():
            failure = Failure(step=STEP, sentence=found.sentence, advice=found.advice)
            return Ending(found.code, failure, may_be_retried=True)
        case NotFound() if _is_settled(registration, now) and before.trouble == found.sentence:
            return GONE
        case _ if is_late:
            return _undone(found.code, found.sentence)
    return None


def _is_long_over(registration: Registration, now: datetime) -> bool:
    return registration.deadline is not None and registration.deadline + GIVEN_UP <= now


def _is_settled(registration: Registration, now: datetime) -> bool:
    """Whether Entra has known the application for long enough to miss it."""
    made_at = registration.facts["service_principal"].get("created_at")
    return made_at is None or datetime.fromisoformat(made_at) + REPLICATION_TIME <= now
