"""Health of the bot, as far as storage knows, without any call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import RunOutcome
from bot.storage.rows import count
from bot.storage.tables import messages, runs, secrets

MOST_UNSHOWN = 5
"""Of how many places it is told that Slack takes no messages there."""


@dataclass(frozen=True, kw_only=True)
class Unshown:
    """Where messages wait that Slack does not take, and its word for why."""

    audience: str  # a channel, or a person
    code: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the bot stands, as far as storage knows."""

    open_runs: int
    owed_messages: int
    sealed_secrets: int
    last_run_at: datetime | None  # when a run last came back from the tenant
    last_run_failed: str | None  # its code, if it failed
    unshown: Sequence[Unshown] = ()


async def read(tx: AsyncConnection) -> Health:
    """Return the health of the bot from storage alone."""
    ended = sa.select(runs.c.ended_at, runs.c.outcome).where(runs.c.ended_at.is_not(None))
    last = (await tx.execute(ended.order_by(runs.c.ended_at.desc()).limit(1))).first()
    return Health(
        open_runs=await count(tx, runs, runs.c.ended_at.is_(None)),
        owed_messages=await count(tx, messages, messages.c.shown < messages.c.wanted),
        sealed_secrets=await count(tx, secrets, secrets.c.sealed.is_not(None)),
        last_run_at=last.ended_at if last else None,
        last_run_failed=last.outcome if last and last.outcome not in set(RunOutcome) else None,
        unshown=await unshown(tx),
    )


async def unshown(tx: AsyncConnection) -> tuple[Unshown, ...]:
    """Return where messages wait that Slack does not take, a few of them."""
    query = (
        sa.select(messages.c.audience, messages.c.trouble)
        .where(messages.c.shown < messages.c.wanted, messages.c.trouble.is_not(None))
        .distinct()
        .order_by(messages.c.audience)
        .limit(MOST_UNSHOWN)
    )
    rows = await tx.execute(query)
    return tuple(Unshown(audience=row.audience, code=row.trouble) for row in rows)
