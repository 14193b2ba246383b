"""Notices of secrets that are unread or expire: a timer for the next one, and its messages."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event, Subject
from bot.domain.lifetimes import UNREAD_REMINDERS, UNREAD_SECRET
from bot.domain.registration import Registration, Status
from bot.domain.secrets import FOR_APPROVERS, Secret, Stage, reached, told_at
from bot.storage import history, messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def plan_expiry(tx: AsyncConnection, id: str) -> None:
    """Add the next timer for the secret in use, and delete those for others.

    A notice that should have come before comes at once: before an upgrade there were none, and
    while there was a newer secret there were none of this one.
    """
    found = await registrations.get(tx, id)
    is_ready = found is not None and found.status is Status.READY
    secret = found.secret_in_use if found and is_ready else None
    planned = await timers.subjects(tx, id, TimerKind.TELL_EXPIRY)
    if secret is not None and any(it.secret == secret.id for it in planned):
        return
    await timers.cancel(tx, id, TimerKind.TELL_EXPIRY)
    if secret is None:
        return
    stage = await _untold(tx, id, secret)
    if stage is not None and (at := told_at(secret, stage)) is not None:
        subject = Subject(secret=secret.id, stage=stage)
        await timers.add(tx, id, TimerKind.TELL_EXPIRY, at, subject=subject)


async def _untold(tx: AsyncConnection, id: str, secret: Secret) -> Stage | None:
    """Return the stage after the last one that was told of this secret."""
    for stage in reversed(Stage):
        subject = Subject(secret=secret.id, stage=stage)
        if await messages.exists(tx, id, MessageKind.EXPIRY_NEWS, subject):
            return next((later for later in Stage if later > stage), None)
    return Stage.MONTH


async def tell_expiry(
    tx: AsyncConnection,
    registration: Registration,
    secret: Secret,
    now: datetime,
    *,
    since: Stage,
) -> None:
    """Add a message for the requester, and at some stages one for the approvers.

    Earlier stages that were not told, because the bot was down, are told with it.
    """
    stages = reached(secret, now, since=since)
    if not stages:
        return
    id, latest = registration.id, stages[-1]
    subject = Subject(secret=secret.id, stage=latest)
    await messages.add(tx, id, MessageKind.EXPIRY_NEWS, subject=subject)
    if FOR_APPROVERS & set(stages):
        await messages.add(tx, id, MessageKind.EXPIRY, subject=subject)
    event = Event.SECRET_EXPIRED if latest is Stage.OVER else Event.SECRET_EXPIRES
    await history.write(tx, id, event, now=now)


async def plan_reminder(
    tx: AsyncConnection, id: str, secret: str, *, until: datetime, now: datetime
) -> None:
    """Add the next reminder of this secret, which is removed at `until`.

    Reminders that were due while the bot was down are left out.
    """
    times = (until - UNREAD_SECRET + each for each in UNREAD_REMINDERS)
    await timers.add_next(tx, id, TimerKind.REMIND_UNREAD, times, now, Subject(secret=secret))


async def remind(
    tx: AsyncConnection, registration: Registration, secret: str, now: datetime
) -> None:
    """Add a reminder for the requester if this secret still waits, and plan the next one."""
    current, until = registration.secret, registration.deadline
    if current is None or until is None or until <= now:
        return
    if current.id == secret and registration.is_unseen:
        id = registration.id
        await messages.add(tx, id, MessageKind.UNSEEN, subject=Subject(secret=secret))
        await plan_reminder(tx, id, secret, until=until, now=now)


async def tell_removed(
    tx: AsyncConnection, id: str, removed: Collection[str], now: datetime
) -> None:
    """Tell requester and approvers of announced secrets only.

    To be called in the transaction that notes the removal, so that it is told once.
    """
    found = await registrations.get(tx, id)
    if found is None or found.status is not Status.READY:  # revoked meanwhile, which is told
        return
    for secret in (found.secret, *found.other_secrets):
        if secret is None or secret.id not in removed:
            continue
        for kind in (MessageKind.UNREAD_NEWS, MessageKind.UNREAD):
            await messages.add(tx, id, kind, subject=Subject(secret=secret.id))
        await history.write(tx, id, Event.UNREAD_REMOVED, now=now, secret=secret.id)
