"""Telling that the secret in use expires: one due at a time, and what people then read."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.expiry import FOR_APPROVERS, Expiry, Stage, next_stage, reached, told_at
from bot.registration import Registration, Secret, Status
from bot.storage import dues, history, messages, registrations
from bot.storage.dues import DueKind
from bot.storage.messages import MessageKind


async def plan(tx: AsyncConnection, id: str, now: datetime) -> None:
    """Let it be told when the secret in use expires, and of no other. What is planned stays."""
    found = await registrations.get(tx, id)
    is_ready = found is not None and found.status is Status.READY
    secret = found.secret_in_use if found and is_ready else None
    planned = await dues.subjects(tx, id, DueKind.EXPIRING)
    if secret is not None and any(Expiry.read(it).secret == secret.id for it in planned):
        return
    await dues.drop(tx, id, DueKind.EXPIRING)
    stage = next_stage(secret, now) if secret else None
    at = told_at(secret, stage) if secret and stage is not None else None
    if secret and stage is not None and at is not None:
        subject = str(Expiry(secret=secret.id, stage=stage))
        await dues.add(tx, id, DueKind.EXPIRING, at, subject=subject)


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
    await messages.owe(tx, id, MessageKind.EXPIRY_NEWS, requester, subject=subject)
    if FOR_APPROVERS & set(stages):
        await messages.owe(tx, id, MessageKind.EXPIRY, approval_channel, subject=subject)
    what = "secret expired" if latest is Stage.OVER else "secret expires"
    await history.write(tx, id, what, now=now)
