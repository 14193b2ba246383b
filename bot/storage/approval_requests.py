"""Approval requests and their votes: asking approvers, voting, and noting how a request has ended,
with all that this brings about.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import (
    CARRIED_OUT_BY,
    ApprovalRequest,
    RequestKind,
    RequestState,
    Vote,
)
from bot.domain.events import Event, Subject, event
from bot.domain.people import Person
from bot.domain.registration import Registration, RunOutcome, Status
from bot.storage import history, messages, registrations, rows, runs, timers
from bot.storage.messages import MessageKind
from bot.storage.rows import insert, is_person, plain
from bot.storage.runs import Run
from bot.storage.tables import approval_requests as requests
from bot.storage.tables import votes
from bot.storage.timers import TimerKind


async def ask(tx: AsyncConnection, id: str, request: ApprovalRequest) -> None:
    """Ask the approvers for it, until it expires. Of a plan there is a card of its own kind."""
    await add(tx, id, request)
    if request.kind is RequestKind.PLAN:
        await messages.add(tx, id, MessageKind.CARD)
    else:
        await messages.add(tx, id, MessageKind.REQUEST, subject=Subject(request=request.id))


async def end(
    tx: AsyncConnection,
    registration: Registration,
    request: ApprovalRequest,
    state: RequestState,
    *,
    now: datetime,
    by: Person = history.BOT,
    **details: str,
) -> None:
    """Note that a request that waits was denied, cancelled or has expired, or was superseded, and
    tell the requester of a decision by another person.
    """
    id, is_plan = registration.id, request.kind is RequestKind.PLAN
    what = "withdrawn" if state is RequestState.SUPERSEDED else str(state)
    await close(tx, id, request, state, **details)
    digest = {"digest": request.digest} if is_plan and state is RequestState.DENIED else {}
    await history.write(tx, id, event(request.kind, what), by=by, now=now, **digest, **details)
    if is_plan:
        reasons: dict[str, Any] = {"reasons": tuple(details.values())} if details else {}
        await registrations.move(tx, id, Status(state.value), **reasons)
        if registration.was_begun:
            await timers.add(tx, id, TimerKind.UNDO, now)
    if by.key != registration.requester.key and state is not RequestState.SUPERSEDED:
        await tell(tx, id, request)


async def close(
    tx: AsyncConnection, id: str, request: ApprovalRequest, state: RequestState, **payload: str
) -> None:
    """Note that it waits no longer."""
    stored = {**request.payload, **payload}
    await update(tx, request.id, state=state, payload=stored)
    await registrations.drop_timers(tx, id)


async def overrule(tx: AsyncConnection, registration: Registration, *, now: datetime) -> Run | None:
    """End the registration's open run for something more urgent, and return it, if there is one.

    With it ends the request that it carries out, in signed history, too: else a row of a run that
    someone adds later could use its approvals. The registration must be locked by this transaction.
    """
    id, run = registration.id, await runs.find_open(tx, registration.id)
    if run is None:
        return None
    code = RunOutcome.OVERRULED
    await runs.end(tx, run.id, outcome=code, now=now)
    if run.kind in CARRIED_OUT_BY:
        await history.write(tx, id, Event.FAILED, now=now, run=run.kind, code=code)
        if request := registration.request(run.subject or ""):
            await close(tx, id, request, RequestState.SUPERSEDED)
    return run


async def judge(
    tx: AsyncConnection, id: str, request: ApprovalRequest, vote: Vote, *, now: datetime
) -> None:
    """Note whether a vote still counts, and for which groups."""
    is_this = _by(request.id, vote.person)
    await rows.update(tx, votes, is_this, groups=vote.groups, void=vote.void)
    if vote.void is not None:
        what, of, why = Event.APPROVAL_VOID, vote.person.user_id, vote.void
        await history.write(tx, id, what, now=now, of=of, why=why, request=request.id)


async def tell(tx: AsyncConnection, id: str, request: ApprovalRequest) -> None:
    """Tell the requester how a request stands now."""
    if request.kind is RequestKind.PLAN:
        await messages.add_news(tx, id)
    else:
        subject = Subject(request=request.id)
        await messages.add_news(tx, id, MessageKind.REQUEST_NEWS, subject)


async def given(tx: AsyncConnection, id: str) -> int:
    """Count the approvals of a request that still count."""
    is_valid = sa.and_(votes.c.verdict == "approve", votes.c.void.is_(None))
    return await rows.count(tx, votes, votes.c.request == id, is_valid)


async def add(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Add a waiting request. Raises IntegrityError if another of its kind waits already."""
    columns = {name: value for name, value in vars(request).items() if name != "votes"}
    await insert(tx, requests, registration=registration, **columns)
    await _plan_timers(tx, registration, request)


async def reopen(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    """Let a decided request wait again, as it now is, with its votes."""
    await update(
        tx,
        request.id,
        state=RequestState.WAITING,
        asked_at=request.asked_at,
        expires_at=request.expires_at,
    )
    await _plan_timers(tx, registration, request)


async def _plan_timers(tx: AsyncConnection, registration: str, request: ApprovalRequest) -> None:
    if request.expires_at is not None:
        at = request.expires_at
        await timers.add(tx, registration, TimerKind.EXPIRE, at, Subject(request=request.id))
        await timers.remind_of(tx, registration, request.id, request.asked_at, request.asked_at)


async def update(tx: AsyncConnection, id: str, **columns: Any) -> None:
    await rows.update(tx, requests, requests.c.id == id, **columns)


async def cast(tx: AsyncConnection, request: ApprovalRequest, vote: Vote) -> None:
    """Add a vote. Raises IntegrityError if this person has one on the same that still counts: the
    primary key says no, even if an earlier read found none.
    """
    if any(it.person.key == vote.person.key and it.void for it in request.votes):
        await withdraw(tx, request.id, vote.person)
    columns = {name: value for name, value in vars(vote).items() if name != "person"}
    await insert(tx, votes, request=request.id, **columns, **plain(vote.person))


async def withdraw(tx: AsyncConnection, id: str, person: Person) -> None:
    """Delete a vote; history remembers it."""
    await rows.delete(tx, votes, _by(id, person))


def _by(id: str, person: Person) -> sa.ColumnElement[bool]:
    return sa.and_(votes.c.request == id, is_person(votes, person))
