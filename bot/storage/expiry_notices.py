"""Notices that the secret in use expires: one timer at a time, and the messages that it adds."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event, Subject
from bot.domain.registration import Registration, Status
from bot.domain.secrets import FOR_APPROVERS, Secret, Stage, reached, told_at
from bot.storage import history, messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def plan(tx: AsyncConnection, id: str) -> None:
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
    at = told_at(secret, stage) if stage is not None else None
    if stage is not None and at is not None:
        subject = Subject(secret=secret.id, stage=stage)
        await timers.add(tx, id, TimerKind.TELL_EXPIRY, at, subject=subject)


async def _untold(tx: AsyncConnection, id: str, secret: Secret) -> Stage | None:
    """Return the stage after the last one that was told of this secret."""
    for stage in reversed(Stage):
        subject = Subject(secret=secret.id, stage=stage)
        if await messages.exists(tx, id, MessageKind.EXPIRY_NEWS, subject):
            return next((later for later in Stage if later > stage), None)
    return Stage.MONTH


async def tell(
    tx: AsyncConnection,
    registration: Registration,
    secret: Secret,
    now: datetime,
    *,
    since: Stage,
    approval_channel: str,
) -> None:
    """Add a message for the requester, and at some stages one for the approvers.

    Earlier stages that were not told, because the bot was down, are told with it.
    """
    stages = reached(secret, now, since=since)
    if not stages:
        return
    id, latest = registration.id, stages[-1]
    subject = Subject(secret=secret.id, stage=latest)
    requester = registration.requester.user_id
    await messages.add(tx, id, MessageKind.EXPIRY_NEWS, requester, subject=subject)
    if FOR_APPROVERS & set(stages):
        await messages.add(tx, id, MessageKind.EXPIRY, approval_channel, subject=subject)
    event = Event.SECRET_EXPIRED if latest is Stage.OVER else Event.SECRET_EXPIRES
    await history.write(tx, id, event, now=now)
