"""What becomes of a registration that waits for consent, by the grants that were made or seen.

The watch sees grants; an approver who signs in makes them. Both note them here, and the last one
lets the registration go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.lifetimes import CONSENT_LONGEST_PAUSE, CONSENT_PAUSE, CONSENT_TTL, UNDO_FAILED
from bot.domain.people import Person
from bot.domain.registration import Check, Consent, Registration, Status
from bot.domain.runs import Failure, RunKind
from bot.services import Services
from bot.storage import history, messages, registrations, runs, timers
from bot.storage.history import BOT
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind
from graph.consent import Granted
from graph.plan import Plan
from graph.steps import stages

log = structlog.get_logger()

SHARE = 10
"""The pause before the next look is this part of the time since it began to wait."""
STEP = "Admin consent"


@dataclass(frozen=True)
class ConsentOutcome:
    """Changes registrations that wait for consent. Their rows must be locked."""

    services: Services

    async def note(
        self,
        tx: AsyncConnection,
        registration: Registration,
        found: Granted,
        *,
        granter: Person = BOT,
        how: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Note what is granted, and go on, fail, or wait for the rest.

        `granter` is the approver who has signed in and granted it; `how` are the fields of Consent
        that say so.
        """
        id, now, names = registration.id, self.services.clock.now(), awaited(registration)
        if found.foreign:
            for name in names:  # a retry looks at all of them again
                await runs.note_granted(tx, id, name, None)
            await self._alarm(tx, registration, found)
            return
        had = {name for name in names if name in registration.facts}
        withdrawn = sorted(had - found.steps)
        for name in sorted(found.steps - had):
            await runs.note_granted(tx, id, name, now)
        for name in withdrawn:
            await runs.note_granted(tx, id, name, None)
        if withdrawn:
            await history.write(tx, id, Event.CONSENT_WITHDRAWN, now=now, steps=withdrawn)
        before = registration.consent or Consent(at=now)
        missing = tuple(sorted((set(before.withdrawn) | set(withdrawn)) - found.steps))
        consent = replace(before, at=now, extras=found.extras, withdrawn=missing, **how)
        await registrations.set_consent(tx, id, consent)
        if set(names) <= found.steps:
            await self._go_on(tx, registration, granter)
        else:
            await self.plan_next(tx, registration)

    async def plan_next(self, tx: AsyncConnection, registration: Registration) -> None:
        """Let the next look come: the longer it waits, the later."""
        now = self.services.clock.now()
        deadline = registration.deadline or now
        waited = now - (deadline - CONSENT_TTL)
        pause = min(max(waited / SHARE, CONSENT_PAUSE), CONSENT_LONGEST_PAUSE)
        at = max(min(now + pause, deadline), now + CONSENT_PAUSE)
        await timers.move(tx, registration.id, TimerKind.CONSENT, at)

    async def fail(self, tx: AsyncConnection, registration: Registration, failure: Failure) -> None:
        """Let it fail, and tell the requester."""
        id, now = registration.id, self.services.clock.now()
        until = now + UNDO_FAILED
        await registrations.move(tx, id, Status.FAILED, deadline=until, failure=asdict(failure))
        await self._stop_waiting(tx, id)
        await timers.add(tx, id, TimerKind.UNDO, until)
        await messages.add_news(tx, id, registration.requester.user_id)
        await history.write(tx, id, Event.FAILED, now=now, run=RunKind.REGISTER, code="consent")

    async def _go_on(self, tx: AsyncConnection, registration: Registration, by: Person) -> None:
        id, now = registration.id, self.services.clock.now()
        await registrations.move(tx, id, Status.APPROVED, deadline=None)
        await self._stop_waiting(tx, id)
        await runs.add(tx, registration=id, kind=RunKind.REGISTER, now=now)
        await history.write(tx, id, Event.CONSENT_GIVEN, by=by, now=now)

    async def _alarm(self, tx: AsyncConnection, registration: Registration, found: Granted) -> None:
        """Stop, and tell the approvers: somebody has granted more than was approved."""
        sentences = " ".join(found.foreign)
        failure = Failure(
            step=STEP,
            sentence=f"More was granted than was approved. {sentences}",
            advice="Remove it in the Entra admin centre and press Retry, or press Undo.",
        )
        now, channel = self.services.clock.now(), self.services.settings.approval_channel
        await self.fail(tx, registration, failure)
        check = Check(at=now, differences=found.foreign, alarming=found.foreign)
        await registrations.set_check(tx, registration.id, check)
        await messages.add(tx, registration.id, MessageKind.ALARM, channel)
        ids = {"registration": registration.id, "count": len(found.foreign)}
        log.warning("granted in Entra and not approved", **ids)

    async def _stop_waiting(self, tx: AsyncConnection, id: str) -> None:
        for kind in (TimerKind.CONSENT, TimerKind.REMIND_CONSENT):
            await timers.cancel(tx, id, kind)


def awaited(registration: Registration) -> Sequence[str]:
    """Return the names of the steps that a person takes."""
    plan = Plan.from_json(dict(registration.plan or {}))
    return [each.name for stage in stages(plan) for each in stage if each.is_awaited]
