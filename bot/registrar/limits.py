"""Limits on repeated actions of one user: each protects Entra, Slack or the approvers.

They count events of history, which all replicas share.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import RequestKind
from bot.domain.events import Event, RequestEvent, event
from bot.domain.lifetimes import CHECK_PAUSE, DAY
from bot.domain.people import Person, Refusal
from bot.storage import history


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How often an event may happen within a time, and the refusal beyond that."""

    event: Event | RequestEvent
    most: int
    within: timedelta = DAY
    refusal: str
    """`{id}` stands for the registration, `{most}` for the number."""
    renewed_by: Event | None = None
    """An event that allows one more."""


CHECKS = Limit(  # each takes many calls of Microsoft Graph
    event=Event.CHECK_REQUESTED,
    most=1,
    within=CHECK_PAUSE,
    refusal="A check of {id} was asked for less than five minutes ago. Its card says what came of"
    " it; ask again in a few minutes.",
    renewed_by=Event.READY,
)


def requests(kind: RequestKind) -> Limit:
    """Return how often the same may be asked for: each time notifies the approvers."""
    return Limit(
        event=event(kind, "asked"),
        most=5,
        refusal=f"A {kind} of {{id}} was asked for {{most}} times in 24 hours, which is the most."
        " Agree with an approver on it, and ask again later.",
    )


async def check_limit(
    tx: AsyncConnection,
    limit: Limit,
    *,
    now: datetime,
    registration: str | None = None,
    by: Person | None = None,
) -> None:
    """Raise Refusal if this happened too often: to one registration, by one user, or at all."""

    async def count(event: Event | RequestEvent) -> int:
        since = now - limit.within
        return await history.count(tx, event, since=since, registration=registration, by=by)

    renewed = await count(limit.renewed_by) if limit.renewed_by else 0
    if await count(limit.event) >= limit.most + renewed:
        # No str.format: other braces may come from a setting.
        refusal = limit.refusal.replace("{most}", str(limit.most))
        raise Refusal(refusal.replace("{id}", registration or ""))
