"""Asking approvers, and noting how a request has ended, with all that this brings about."""

from collections.abc import Mapping
from datetime import datetime

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
from bot.storage import approval_requests, history, messages, registrations, runs, timers
from bot.storage.messages import MessageKind
from bot.storage.runs import Run
from bot.storage.timers import TimerKind

ENDS_AS: Mapping[RequestState, Status] = {
    RequestState.DENIED: Status.DENIED,
    RequestState.CANCELLED: Status.CANCELLED,
    RequestState.EXPIRED: Status.EXPIRED,
}
"""The status of a registration whose plan is not approved."""


async def ask(tx: AsyncConnection, id: str, request: ApprovalRequest) -> None:
    """Ask the approvers for it, until it expires. Of a plan there is a card of its own kind."""
    await approval_requests.add(tx, id, request)
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
        reasons = {"reasons": tuple(details.values())} if details else {}
        await registrations.move(tx, id, ENDS_AS[state], **reasons)
        if registration.was_begun:
            await timers.add(tx, id, TimerKind.UNDO, now)
    if by.key != registration.requester.key and state is not RequestState.SUPERSEDED:
        await tell(tx, id, request)


async def close(
    tx: AsyncConnection, id: str, request: ApprovalRequest, state: RequestState, **payload: str
) -> None:
    """Note that it waits no longer."""
    stored = {**request.payload, **payload}
    await approval_requests.update(tx, request.id, state=state, payload=stored)
    await approval_requests.drop_timers(tx, id)


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
    await approval_requests.judge(tx, request.id, vote)
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
