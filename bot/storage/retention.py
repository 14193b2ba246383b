"""Retention: delete rows that nothing needs any more. Registrations and their history stay.

Timers go when they fire, event ids after ten minutes. The rest are messages that told of one
moment, and runs that neither made a secret nor hold facts that later runs need. The runs of an
ended registration hold none that are needed.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Status
from bot.storage import rows
from bot.storage.database import Database
from bot.storage.messages import MASK_FAILED, SAID_ONCE, MessageKind
from bot.storage.tables import history, messages, registrations, runs, secrets, steps

ENDED = tuple(status for status in Status if status.is_end)
BATCH = 500
"""How many rows one transaction deletes at most: others write in between."""


async def delete_old(database: Database, *, before: datetime, batch: int = BATCH) -> None:
    """Delete rows that ended before then, in transactions of `batch` rows."""
    for delete in (_messages, _runs):
        while True:
            async with database.transaction() as tx:
                if await delete(tx, before, batch) < batch:
                    break


async def _messages(tx: AsyncConnection, before: datetime, batch: int) -> int:
    """Delete messages that told of one moment. Notices of a living secret stay, so that none is
    repeated, and masks that failed, because its notice says so.

    A card stays: its buttons work for as long as it stands in Slack.
    """
    old = (
        sa.select(messages.c.id)
        .where(
            messages.c.shown_at < before,
            messages.c.kind.in_(SAID_ONCE),
            messages.c.shown >= messages.c.wanted,
            sa.or_(sa.not_(_tells_of_a_secret()), _has_ended(messages.c.registration)),
        )
        .limit(batch)
    )
    return await rows.delete(tx, messages, messages.c.id.in_(old))


def _tells_of_a_secret() -> sa.ColumnElement[bool]:
    mask_failed = messages.c.trouble.is_not_distinct_from(MASK_FAILED)
    return sa.or_(messages.c.kind == MessageKind.EXPIRY_NEWS, mask_failed)


async def _runs(tx: AsyncConnection, before: datetime, batch: int) -> int:
    """Delete runs with their steps, but for those that made a secret."""
    has_steps = sa.exists().where(steps.c.run == runs.c.id)
    old = (
        sa.select(runs.c.id)
        .where(
            runs.c.ended_at < before,
            ~sa.exists().where(secrets.c.run == runs.c.id),
            sa.or_(~has_steps, _has_ended(runs.c.registration, before)),
        )
        .limit(batch)
    )
    ids = (await tx.scalars(old)).all()
    await rows.delete(tx, steps, steps.c.run.in_(ids))
    await rows.delete(tx, runs, runs.c.id.in_(ids))
    return len(ids)


def _has_ended(
    registration: sa.ColumnElement[str], before: datetime | None = None
) -> sa.ColumnElement[bool]:
    """Whether it has come to its end; with `before`, whether nothing happened to it since then."""
    ended = sa.exists().where(registrations.c.id == registration, registrations.c.status.in_(ENDED))
    if before is None:
        return ended
    since = sa.exists().where(history.c.registration == registration, history.c.at >= before)
    return sa.and_(ended, ~since)
