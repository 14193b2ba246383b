"""Approval requests: what approvers are asked, what cards say of it, what the requester is told."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import Policy
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState
from bot.domain.registration import WAITS_IN, Registration
from bot.registrar.kinds import KINDS
from handlers.views import approvers, ids
from handlers.views.blocks import (
    Blocks,
    actions,
    button,
    context,
    drawn,
    escaped,
    person,
    section,
    when,
)
from handlers.views.request_words import WORDS


def outcome(registration: Registration, request: ApprovalRequest | None) -> str:
    """Say how a request stands, after the registration's id."""
    if request is None:
        return ": this request is over"
    words, kind = WORDS[request.kind], request.kind
    state = request.state
    under_way = (RequestState.WAITING, RequestState.APPROVED)
    if state in under_way and registration.status not in WAITS_IN[kind]:
        state = RequestState.SUPERSEDED
    match state:
        case RequestState.DONE if "{requester}" in words.done:
            return f" {words.done.format(requester=person(registration.requester))}"
        case RequestState.WAITING:
            return f": {words.thing} is asked for"
        case RequestState.APPROVED | RequestState.DONE | RequestState.FAILED:
            said = {RequestState.DONE: words.done, RequestState.FAILED: words.failed}
            return f": {said.get(state, words.doing)}"
        case RequestState.EXPIRED:
            return f": the {kind} expired, because nobody decided in time"
        case RequestState.SUPERSEDED:
            return f": this request for {words.thing} is over"
        case _:
            return f": the {kind} was {state}"


def text(registration: Registration, id: str | None) -> str:
    """Return the request in a breath; names are written out, to call nobody."""
    request = registration.request(id or "")
    said = outcome(registration, request)
    mention, name = person(registration.requester), escaped(registration.requester.name)
    return f"{registration.id}{said.replace(mention, name)}"


def request(registration: Registration, quorum: Quorum, *, id: str | None) -> Blocks:
    """Ask the approvers to decide; once it is decided, say what came of it."""
    found = registration.request(id or "")
    if found is None or found not in registration.waiting_requests:
        if found is not None and found.to is not None and found.state is RequestState.DONE:
            return drawn([section(_handed_over(registration, found))])
        said = section(f"*{registration.id}*{outcome(registration, found)}.")
        return drawn([said, *(_votes(registration, found) if found else ())])
    words = WORDS[found.kind]
    return drawn(
        [
            section(words.asks(registration, found)),
            *words.more(registration),
            *_waits(registration, found, quorum),
            *actions([*_buttons(registration, found), *_askers_button(registration, found)]),
        ]
    )


def _handed_over(registration: Registration, request: ApprovalRequest) -> str:
    """Say who confirmed a handover, who owns the registration now, and who asked for that."""
    named = f"*{registration.id}* ({escaped(registration.form.name)})"
    by = ", ".join(person(vote.person) for vote in request.approvals())
    confirmed = f"{by} confirmed: {named} now belongs" if by else f"{named} belongs"
    asked = f" (requested by {person(request.asked_by)})"
    return f"{confirmed} to {person(registration.requester)}{asked}."


def lines(registration: Registration, quorum: Quorum) -> Iterator[Block]:
    """Yield what the card says of requests that wait beside the plan."""
    for each in registration.waiting_requests:
        if each.kind is RequestKind.PLAN:
            continue
        thing = WORDS[each.kind].thing
        who, at = person(each.asked_by), when(each.asked_at)
        yield context(f"{thing[0].upper()}{thing[1:]} was asked for by {who} {at}")
        yield from _waits(registration, each, quorum)


def under_way(registration: Registration, kind: RequestKind) -> Iterator[Block]:
    """Yield who has approved what is at work just now."""
    latest = registration.latest(kind)
    if latest is not None and latest.state is RequestState.APPROVED:
        yield from _votes(registration, latest)


def decide(registration: Registration) -> list[Block]:
    """Return what approvers can do, a row for each request that waits."""
    rows = [actions(_buttons(registration, each)) for each in registration.waiting_requests]
    return [block for row in rows for block in row]


def cancellable(registration: Registration) -> ApprovalRequest | None:
    """Return what a requester would take back: the plan, or else the latest request."""
    waiting = registration.waiting_requests
    return registration.waiting(RequestKind.PLAN) or (waiting[-1] if waiting else None)


def cancel_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button by which a requester takes back what waits."""
    found = cancellable(registration)
    return [_cancel_button(registration, found)] if found else []


def cancelled_text(registration: Registration, request: ApprovalRequest) -> str:
    id = registration.id
    if request.kind is RequestKind.PLAN:
        return f"{id} is cancelled. Nothing was changed in Entra."
    return f"The {request.kind} of {id} is cancelled. {WORDS[request.kind].rest}"


def _askers_button(registration: Registration, request: ApprovalRequest) -> Iterator[ButtonElement]:
    """Yield the button for an approver who has asked: the requester's stands on their own card."""
    if request.asked_by.key != registration.requester.key:
        yield _cancel_button(registration, request)


def _cancel_button(registration: Registration, request: ApprovalRequest) -> ButtonElement:
    words, value = WORDS[request.kind], ids.bound_value(registration.id, request.id)
    return button(words.labels[2], ids.CANCEL, value, confirm=words.rest)


def _buttons(registration: Registration, request: ApprovalRequest) -> list[ButtonElement]:
    words, value = WORDS[request.kind], ids.bound_value(registration.id, request.id)
    approve, deny, _ = words.labels
    confirm = words.approve(registration, request)
    found = [
        button(approve, ids.APPROVE, value, style="primary", confirm=confirm),
        button(deny, ids.DENY, value),
    ]
    if request.approvals():
        found.append(button("Withdraw my approval", ids.WITHDRAW, value))
    return found


def _waits(registration: Registration, request: ApprovalRequest, quorum: Quorum) -> Iterator[Block]:
    """Who has confirmed it, who is missing, and until when."""
    yield from _votes(registration, request)
    needed = quorum_of(request, quorum)
    if needed.needed > 1:
        yield context(approvers.given(registration.counting(request), needed))
    if request.expires_at is not None:
        yield context(f"The request expires {when(request.expires_at)}")


def quorum_of(request: ApprovalRequest, quorum: Quorum) -> Quorum:
    """Return what it takes to approve this, where a plan would take `quorum`."""
    needed = KINDS[request.kind].needed
    return quorum if needed is None else Quorum(needed=needed)


def _votes(registration: Registration, request: ApprovalRequest) -> Iterator[Block]:
    kind = str(request.kind).capitalize()
    for vote in request.votes:
        if vote.void is not None:
            yield context(approvers.lost(vote))
    for vote in registration.counting(request):
        yield context(f"{kind} confirmed by {person(vote.person)} {when(vote.at)}")
    for vote in request.votes:
        if vote.verdict == "deny":
            yield context(f"Denied by {person(vote.person)} {when(vote.at)}")
            yield section(_quoted(request))


def _quoted(request: ApprovalRequest) -> str:
    lines = str(request.payload.get("reason", "")).splitlines()
    return "\n".join(f">{escaped(line)}" for line in lines or [""])


def news(registration: Registration, id: str | None) -> Blocks:
    """Tell the requester what became of a request, and what to do next."""
    found = registration.request(id or "")
    if found is None:
        return drawn([section(f"*{registration.id}*{outcome(registration, None)}.")])
    words, said = WORDS[found.kind], [f"*{registration.id}*{_told(registration, found)}."]
    again = f"`{ids.COMMAND} {words.again.format(id=registration.id)}` asks again."
    match found.state:
        case RequestState.WAITING:
            said.append("Others have to confirm it.")
        case RequestState.CANCELLED | RequestState.DENIED:
            said.append(words.rest)
        case RequestState.EXPIRED:
            said += [words.rest, again]
        case RequestState.FAILED:
            if registration.failure is not None:
                failure = registration.failure
                said.append(escaped(f"{failure.sentence} {failure.advice}"))
            said += [words.rest, again]
    denied = [section(_quoted(found))] if found.state is RequestState.DENIED else []
    return drawn([section(" ".join(said)), *denied])


def news_text(registration: Registration, id: str | None) -> str:
    found = registration.request(id or "")
    return f"{registration.id}{_told(registration, found)}"


def _told(registration: Registration, request: ApprovalRequest | None) -> str:
    state = request.state if request else None
    if request is not None and request in registration.waiting_requests:
        return f": an approver has asked for {WORDS[request.kind].thing}"
    if request is not None and state is RequestState.EXPIRED:
        return f": nobody decided on the {request.kind} in time"
    return outcome(registration, request)


def reminder_text(registration: Registration, id: str | None) -> str:
    request = registration.request(id or "")
    if request is None or request not in registration.waiting_requests:
        return f"{registration.id} no longer waits for approval"
    is_plan = request.kind is RequestKind.PLAN
    what = registration.id if is_plan else f"A {request.kind} of {registration.id}"
    return f"{what} still waits for approval"


def reminder(registration: Registration, policy: Policy, quorum: Quorum, id: str | None) -> Blocks:
    """Call those who can still decide. If it no longer waits, call nobody."""
    request, said = registration.request(id or ""), reminder_text(registration, id)
    if request is None or request not in registration.waiting_requests:
        return drawn([context(f"{said}.")])
    asked = f"{person(request.asked_by)} asked {when(request.asked_at)}"
    lines = [f"*{said}*: *{escaped(registration.form.name)}*, {asked}."]
    if called := " ".join(_called(registration, request, policy)):
        where = "card" if request.kind is RequestKind.PLAN else "request"
        approve, deny, _ = WORDS[request.kind].labels
        lines.append(f"{called}: the {where} above has *{approve}* and *{deny}*.")
    votes = registration.counting(request)
    blocks: list[Block] = [
        section("\n".join(lines)),
        context(approvers.given(votes, quorum_of(request, quorum))),
    ]
    if request.expires_at is not None:
        blocks.append(context(f"It expires {when(request.expires_at)}"))
    return drawn(blocks)


def _called(registration: Registration, request: ApprovalRequest, policy: Policy) -> Iterator[str]:
    """Yield mentions of whoever may decide and has not; never of somebody who has asked for it."""
    silent = {vote.person.user_id for vote in registration.counting(request)}
    concerned = (registration.requester, *registration.previous_requesters, request.asked_by)
    silent |= {each.user_id for each in concerned}
    yield from approvers.mentions(policy.mentioned - silent)
