"""An administrator's consent: wait for it, go on once it is there, or end without it.

Each is part of a transaction that has locked the registration.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.lifetimes import (
    CONSENT_LEAST,
    CONSENT_PAUSE,
    CONSENT_REMINDERS,
    CONSENT_TTL,
    UNDO_FAILED,
)
from bot.domain.people import Person
from bot.domain.registration import Check, Registration, Status
from bot.domain.runs import Failure, RunKind
from bot.storage import history, messages, registrations, runs, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def begin(tx: AsyncConnection, registration: Registration, *, now: datetime) -> None:
    """Let it wait, and call for an administrator. The client id is signed with the history, because
    the link for the administrator is made of it.

    A wait that is taken up again ends when it would have, or in a day if that is later.
    """
    id, since = registration.id, await _waits_since(tx, registration.id)
    until = max((since or now) + CONSENT_TTL, now + CONSENT_LEAST)
    await registrations.move(
        tx, id, Status.WAITING_FOR_CONSENT, deadline=until, failure=None, consent=None
    )
    await timers.add(tx, id, TimerKind.CONSENT, now + CONSENT_PAUSE)
    await plan_reminder(tx, id, until=until, now=now)
    await messages.add(tx, id, MessageKind.CONSENT)
    await messages.add_news(tx, id)
    app_id = registration.facts["application"]["app_id"]
    await history.write(tx, id, Event.CONSENT_AWAITED, now=now, app_id=app_id)


async def _waits_since(tx: AsyncConnection, id: str) -> datetime | None:
    """Return when it began to wait, since it was approved or a user has asked for a retry."""
    since: datetime | None = None
    for entry in await history.read(tx, id):
        if entry.what in (Event.APPROVED, Event.RETRIED):
            since = None
        elif entry.what == Event.CONSENT_AWAITED:
            since = since or entry.at
    return since


async def remind(tx: AsyncConnection, registration: Registration, *, now: datetime) -> None:
    """Call for an administrator again while it waits, and plan the next call."""
    id, until = registration.id, registration.deadline
    if registration.status is not Status.WAITING_FOR_CONSENT or until is None:
        return
    await messages.add(tx, id, MessageKind.CONSENT)
    await history.write(tx, id, Event.REMINDED, now=now)
    await plan_reminder(tx, id, until=until, now=now)


async def plan_reminder(tx: AsyncConnection, id: str, *, until: datetime, now: datetime) -> None:
    """Add the next reminder of a wait that ends then."""
    times = (until - CONSENT_TTL + each for each in CONSENT_REMINDERS)
    await timers.add_next(tx, id, TimerKind.REMIND_CONSENT, times, now)


async def go_on(tx: AsyncConnection, id: str, *, now: datetime, by: Person = history.BOT) -> None:
    """Let a run make the secret: everything is granted. It looks once more before it does."""
    await registrations.move(tx, id, Status.APPROVED, deadline=None, last_check=None)
    await stop(tx, id)
    await runs.add(tx, registration=id, kind=RunKind.REGISTER, now=now)
    await history.write(tx, id, Event.CONSENT_GIVEN, by=by, now=now)


async def stop(tx: AsyncConnection, id: str) -> None:
    """Wait no longer: no look, no reminder, and the calls say so."""
    for kind in (TimerKind.CONSENT, TimerKind.REMIND_CONSENT):
        await timers.cancel(tx, id, kind)
    await messages.redraw_once(tx, id, MessageKind.CONSENT)


async def fail(
    tx: AsyncConnection,
    registration: Registration,
    failure: Failure,
    *,
    code: str,
    now: datetime,
    may_be_retried: bool,
    **details: Any,
) -> None:
    """End the wait. One that cannot be retried is undone at once, and its card says why after that,
    too.
    """
    id, until = registration.id, now + UNDO_FAILED if may_be_retried else now
    reasons: dict[str, Any] = {} if may_be_retried else {"reasons": [failure.sentence]}
    await registrations.move(tx, id, Status.FAILED, deadline=until, failure=failure, **reasons)
    await stop(tx, id)
    await timers.add(tx, id, TimerKind.UNDO, until)
    await messages.add_news(tx, id)
    run = RunKind.REGISTER
    await history.write(tx, id, Event.FAILED, now=now, run=run, code=code, **details)


async def alarm(tx: AsyncConnection, id: str, foreign: Sequence[str], *, now: datetime) -> None:
    """Tell the approvers what was not approved."""
    check = Check(at=now, differences=tuple(foreign), alarming=tuple(foreign))
    await registrations.update(tx, id, last_check=check)
    await messages.add(tx, id, MessageKind.ALARM)
