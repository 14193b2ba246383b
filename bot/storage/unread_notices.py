"""Secrets that were not picked up: reminders for the requester, notices of the removal."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event, Subject
from bot.domain.lifetimes import UNREAD_REMINDERS, UNREAD_SECRET
from bot.domain.registration import Registration, Status
from bot.storage import history, messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def plan(
    tx: AsyncConnection, id: str, secret: str, *, until: datetime, now: datetime
) -> None:
    """Add the next reminder of this secret, which is removed at `until`.

    Reminders that were due while the bot was down are left out.
    """
    announced_at = until - UNREAD_SECRET
    at = next((it for it in (announced_at + each for each in UNREAD_REMINDERS) if it > now), None)
    if at is not None:
        await timers.add(tx, id, TimerKind.REMIND_UNREAD, at, Subject(secret=secret))


async def remind(
    tx: AsyncConnection, registration: Registration, secret: str, now: datetime
) -> None:
    """Add a reminder for the requester if this secret still waits, and plan the next one."""
    current, until = registration.secret, registration.deadline
    if current is None or until is None or until <= now:
        return
    if current.id == secret and registration.is_unseen:
        id, requester = registration.id, registration.requester.user_id
        await messages.add(tx, id, MessageKind.UNSEEN, requester, subject=Subject(secret=secret))
        await plan(tx, id, secret, until=until, now=now)


async def tell_removed(
    tx: AsyncConnection,
    id: str,
    removed: Collection[str],
    now: datetime,
    *,
    approval_channel: str,
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
        requester, subject = found.requester.user_id, Subject(secret=secret.id)
        await messages.add(tx, id, MessageKind.UNREAD_NEWS, requester, subject=subject)
        await messages.add(tx, id, MessageKind.UNREAD, approval_channel, subject=subject)
        await history.write(tx, id, Event.UNREAD_REMOVED, now=now, secret=secret.id)
