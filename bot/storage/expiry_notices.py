"""Telling that the secret in use expires: one due at a time, and what people then read."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.expiry_stages import FOR_APPROVERS, Expiry, Stage, reached, told_at
from bot.domain.registration import Registration, Status
from bot.domain.secrets import Secret
from bot.storage import history, messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def plan(tx: AsyncConnection, id: str) -> None:
    """Let it be told when the secret in use expires, and of no other. What is planned stays.

    What should have been told before comes at once: before an upgrade nobody was told anything,
    and while a newer secret was there nobody was told of this one.
    """
    found = await registrations.get(tx, id)
    is_ready = found is not None and found.status is Status.READY
    secret = found.secret_in_use if found and is_ready else None
    planned = await timers.subjects(tx, id, TimerKind.TELL_EXPIRY)
    if secret is not None and any(Expiry.read(it).secret == secret.id for it in planned):
        return
    await timers.cancel(tx, id, TimerKind.TELL_EXPIRY)
    if secret is None:
        return
    stage = await _untold(tx, id, secret)
    at = told_at(secret, stage) if stage is not None else None
    if stage is not None and at is not None:
        subject = str(Expiry(secret=secret.id, stage=stage))
        await timers.add(tx, id, TimerKind.TELL_EXPIRY, at, subject=subject)


async def _untold(tx: AsyncConnection, id: str, secret: Secret) -> Stage | None:
    """Return what comes after the last thing that was told of this secret."""
    for stage in reversed(Stage):
        subject = str(Expiry(secret=secret.id, stage=stage))
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
    """Owe one message to the requester, and one to the approvers if it is time that they know.

    Whatever has not been told in time, because the bot was down, is told with it.
    """
    stages = reached(secret, now, since=since)
    if not stages:
        return
    id, latest = registration.id, stages[-1]
    subject = str(Expiry(secret=secret.id, stage=latest))
    requester = registration.requester.user_id
    await messages.add(tx, id, MessageKind.EXPIRY_NEWS, requester, subject=subject)
    if FOR_APPROVERS & set(stages):
        await messages.add(tx, id, MessageKind.EXPIRY, approval_channel, subject=subject)
    event = Event.SECRET_EXPIRED if latest is Stage.OVER else Event.SECRET_EXPIRES
    await history.write(tx, id, event, now=now)
