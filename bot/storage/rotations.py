"""Rotations: the latest that was asked for, how it ended, and what its requester is told."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import Rotation, RotationNews, RotationState
from bot.storage import messages, registrations, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


async def ask(tx: AsyncConnection, id: str, rotation: Rotation) -> None:
    """Keep a new one, in the place of any that was decided before, until it expires."""
    await registrations.put_rotation(tx, id, rotation)
    await timers.add(tx, id, TimerKind.EXPIRE_ROTATION, rotation.until, subject=rotation.id)
    await timers.start_reminders(tx, id, rotation.asked_at)


async def end(tx: AsyncConnection, id: str, rotation: Rotation, state: RotationState) -> None:
    """Note how it was decided, or what became of it then."""
    await registrations.put_rotation(tx, id, replace(rotation, state=state))
    for kind in (TimerKind.EXPIRE_ROTATION, TimerKind.REMIND):
        await timers.cancel(tx, id, kind)


async def tell(tx: AsyncConnection, id: str, news: RotationNews) -> None:
    """Owe the requester a message of its own: Slack notifies nobody of a card redrawn."""
    requester = await registrations.requester_of(tx, id)
    await messages.add(tx, id, MessageKind.ROTATION_NEWS, requester, subject=news)
