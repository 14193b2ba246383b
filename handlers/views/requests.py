"""Approval requests: as approvers decide on them, on cards, and as the requester is told."""

from collections.abc import Iterator, Mapping, Sequence

from slack_sdk.models.blocks import Block, InputBlock, PlainTextInputElement
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import Policy
from bot.domain.approval_requests import ApprovalRequest, Quorum, RequestKind, RequestState, Vote
from bot.domain.forms import LONGEST_REASON
from bot.domain.people import Person
from bot.domain.registration import WAITS_IN, Registration
from bot.registrar.kinds import KINDS
from handlers.views import ids, ui
from handlers.views.request_words import WORDS

OUTCOMES: Mapping[RequestState, str] = {
    RequestState.WAITING: "{words.thing} is asked for",
    RequestState.APPROVED: "{words.doing}",
    RequestState.DONE: "{words.done}",
    RequestState.FAILED: "{words.failed}",
    RequestState.EXPIRED: "the {kind} expired, because no approver decided in time",
    RequestState.SUPERSEDED: "this request for {words.thing} is over",
}
"""How a request stands or has ended, by its state; `Words` has the words of its kind."""


def given(votes: Sequence[Vote], quorum: Quorum) -> str:
    """Return how many of the votes needed are there."""
    count = quorum.needed - quorum.missing(votes)
    each = ", each by another approver group" if quorum.distinct_groups else ""
    return f"{count} of {quorum.needed} approvals given{each}"


def calling(registration: Registration, policy: Policy) -> Iterator[Block]:
    """Yield a line that notifies the approvers. Slack notifies of a post, not of an edit."""
    if called := _mentions(registration, policy):
        yield ui.context(f"For {called}")


def _mentions(registration: Registration, policy: Policy, *silent: Person) -> str:
    """Mention the approvers, without these and those who are concerned themselves."""
    concerned = (registration.requester, *registration.previous_requesters, *silent)
    ids = sorted(policy.mentioned - {each.user_id for each in concerned})
    return " ".join(f"<!subteam^{id}>" if id.startswith("S") else f"<@{id}>" for id in ids)


def request(registration: Registration, quorum: Quorum, *, id: str | None) -> ui.Notice:
    """Ask the approvers to decide; once it is decided, say how it ended."""
    found = registration.request(id or "")
    said = f"*{registration.id}*{_outcome(registration, found)}"
    spoken = ui.aloud(said, registration.requester)
    if found is None:
        return ui.notice(f"{said}.", spoken=spoken)
    if found in registration.waiting_requests:
        words = WORDS[found.kind]
        # The requester's own button to cancel stands on their card.
        is_theirs = found.asked_by.key == registration.requester.key
        cancel = [] if is_theirs else [_cancel_button(registration, found)]
        return ui.notice(
            _filled(words.asks, registration, found),
            *words.more(registration),
            *_waits(registration, found, quorum),
            spoken=spoken,
            buttons=[*_buttons(registration, found), *cancel],
        )
    if found.to is not None and found.state is RequestState.DONE:
        return ui.notice(_handed_over(registration, found), spoken=spoken)
    return ui.notice(f"{said}.", *_votes(registration, found), spoken=spoken)


def _outcome(registration: Registration, request: ApprovalRequest | None) -> str:
    """Say how a request stands, after the registration's id."""
    if request is None:
        return ": this request is over"
    words, kind, state = WORDS[request.kind], request.kind, request.state
    under_way = (RequestState.WAITING, RequestState.APPROVED)
    if state in under_way and registration.status not in WAITS_IN[kind]:
        state = RequestState.SUPERSEDED
    outcome = OUTCOMES.get(state, "the {kind} was {state}")
    said = outcome.format(words=words, kind=kind, state=state)
    is_handed_over = state is RequestState.DONE and kind is RequestKind.HANDOVER
    return f"{'' if is_handed_over else ':'} {_filled(said, registration, request)}"


def _filled(words: str, registration: Registration, request: ApprovalRequest) -> str:
    """Return words about a request with the facts of this one."""
    return words.format(
        id=registration.id,
        name=ui.escaped(registration.form.name),
        days=(registration.plan or {}).get("secret_days"),
        digest=(registration.digest or "")[:16],
        requester=ui.person(registration.requester),
        by=ui.person(request.asked_by),
        to=ui.person(request.to) if request.to else "a new requester",
        to_name=request.to.name if request.to else "The new requester",
    )


def _handed_over(registration: Registration, request: ApprovalRequest) -> str:
    """Say who confirmed a handover, who owns the registration now, and who asked for that."""
    by = ", ".join(ui.person(vote.person) for vote in request.approvals())
    to, asked_by = ui.person(registration.requester), ui.person(request.asked_by)
    confirmed, now = (f"{by} confirmed: ", " now") if by else ("", "")
    return f"{confirmed}{ui.named(registration)}{now} belongs to {to} (requested by {asked_by})."


def lines(registration: Registration, quorum: Quorum) -> Iterator[Block]:
    """Yield the lines of a card for requests that wait beside the plan."""
    for each in registration.waiting_requests:
        if each.kind is RequestKind.PLAN:
            continue
        thing = WORDS[each.kind].thing
        who, at = ui.person(each.asked_by), ui.when(each.asked_at)
        yield ui.context(f"{thing[0].upper()}{thing[1:]} was asked for by {who} {at}")
        yield from _waits(registration, each, quorum)


def under_way(registration: Registration, kind: RequestKind) -> Iterator[Block]:
    """Yield who has approved the request that a run carries out now."""
    latest = registration.latest(kind)
    if latest is not None and latest.state is RequestState.APPROVED:
        yield from _votes(registration, latest)


def decide(registration: Registration) -> list[list[ButtonElement]]:
    """Return the approvers' buttons, a row for each request that waits."""
    return [_buttons(registration, each) for each in registration.waiting_requests]


def cancellable(registration: Registration) -> ApprovalRequest | None:
    """Return the request that its requester would cancel: the plan, or else the latest one."""
    waiting = registration.waiting_requests
    return registration.waiting(RequestKind.PLAN) or (waiting[-1] if waiting else None)


def cancel_buttons(registration: Registration) -> list[ButtonElement]:
    found = cancellable(registration)
    return [_cancel_button(registration, found)] if found else []


def cancelled_text(registration: Registration, request: ApprovalRequest) -> str:
    id = registration.id
    if request.kind is RequestKind.PLAN:
        return f"{id} is cancelled. Nothing was changed in Entra."
    return f"The {request.kind} of {id} is cancelled. {WORDS[request.kind].rest}"


def _cancel_button(registration: Registration, request: ApprovalRequest) -> ButtonElement:
    words, value = WORDS[request.kind], bound_value(registration.id, request.id)
    about = ui.about(registration)
    return ui.button(words.labels[2], ids.CANCEL, value, about=about, confirm=words.rest)


def _buttons(registration: Registration, request: ApprovalRequest) -> list[ButtonElement]:
    words, value = WORDS[request.kind], bound_value(registration.id, request.id)
    (approve, deny, _), about = words.labels, ui.about(registration)
    confirm = _filled(words.approve, registration, request)
    found = [
        ui.button(approve, ids.APPROVE, value, about=about, style="primary", confirm=confirm),
        ui.button(deny, ids.DENY, value, about=about),
    ]
    if request.approvals():
        found.append(ui.button("Withdraw my approval", ids.WITHDRAW, value, about=about))
    return found


def _waits(registration: Registration, request: ApprovalRequest, quorum: Quorum) -> Iterator[Block]:
    """Yield who has confirmed it, how many are missing, and until when."""
    yield from _votes(registration, request)
    needed = _quorum_of(request, quorum)
    if needed.needed > 1:
        yield ui.context(given(registration.counting(request), needed))
    if request.expires_at is not None:
        yield ui.context(f"The request expires {ui.when(request.expires_at)}")


def _quorum_of(request: ApprovalRequest, quorum: Quorum) -> Quorum:
    """Return the quorum of this request, where that of a plan is `quorum`."""
    needed = KINDS[request.kind].needed
    return quorum if needed is None else Quorum(needed=needed)


def void(vote: Vote) -> Block:
    """Say whose approval no longer counts, and why."""
    why = ui.escaped(vote.void or "")
    return ui.context(f"The approval of {ui.person(vote.person)} no longer counts: {why}")


def _votes(registration: Registration, request: ApprovalRequest) -> Iterator[Block]:
    yield from (void(vote) for vote in request.votes if vote.void is not None)
    for vote in registration.counting(request):
        confirmed = f"{request.kind.capitalize()} confirmed by"
        yield ui.context(f"{confirmed} {ui.person(vote.person)} {ui.when(vote.at)}")
    for vote in request.votes:
        if vote.verdict == "deny":
            yield ui.context(f"Denied by {ui.person(vote.person)} {ui.when(vote.at)}")
            yield _reason(request)


def _reason(request: ApprovalRequest) -> Block:
    return ui.section(ui.quoted(str(request.payload.get("reason", ""))))


def news(registration: Registration, id: str | None) -> ui.Notice:
    """Tell the requester how a request stands, and the next step."""
    found = registration.request(id or "")
    if found is None:
        said = f"*{registration.id}*{_outcome(registration, None)}"
        return ui.notice(f"{said}.", spoken=ui.aloud(said))
    words, outcome = WORDS[found.kind], _outcome(registration, found)
    again = f"`{ids.COMMAND} {_filled(words.again, registration, found)}` asks again."
    more, below = [], []
    match found.state:
        case RequestState.WAITING:
            if found in registration.waiting_requests:
                outcome = f": an approver has asked for {words.thing}"
            more.append("Others have to confirm it.")
        case RequestState.CANCELLED:
            more.append(words.rest)
        case RequestState.DENIED:
            more.append(words.rest)
            below.append(_reason(found))
        case RequestState.EXPIRED:
            outcome = f": no approver decided on the {found.kind} in time"
            more += [words.rest, again]
        case RequestState.FAILED:
            if (failure := registration.failure) is not None:
                more.append(ui.escaped(f"{failure.sentence} {failure.advice}"))
            more += [words.rest, again]
    said = f"*{registration.id}*{outcome}"
    spoken = ui.aloud(said, registration.requester)
    return ui.notice(" ".join([f"{said}.", *more]), *below, spoken=spoken)


def reminder(
    registration: Registration, policy: Policy, quorum: Quorum, id: str | None
) -> ui.Notice:
    """Call the approvers who can still decide. Without a request that waits, call no one."""
    request = registration.request(id or "")
    if request is None or request not in registration.waiting_requests:
        how = _outcome(registration, request)
        if request is not None and request.state is RequestState.APPROVED:
            how = f": the {request.kind} was approved"
        said = f"{registration.id}{how}"
        return ui.over(ui.aloud(said, registration.requester), f"{said}.")
    is_plan, votes = request.kind is RequestKind.PLAN, registration.counting(request)
    what = registration.id if is_plan else f"A {request.kind} of {registration.id}"
    asked = f"{ui.person(request.asked_by)} asked {ui.when(request.asked_at)}"
    said = f"{what} still waits for approval"
    lines = [f"*{said}*: *{ui.escaped(registration.form.name)}*, {asked}."]
    # Approvers who have decided are not called again.
    voters = [vote.person for vote in votes]
    if called := _mentions(registration, policy, request.asked_by, *voters):
        where = "card" if is_plan else "request"
        approve, deny, _ = WORDS[request.kind].labels
        lines.append(f"{called}: the {where} above has *{approve}* and *{deny}*.")
    below = [ui.context(given(votes, _quorum_of(request, quorum)))]
    if request.expires_at is not None:
        below.append(ui.context(f"It expires {ui.when(request.expires_at)}"))
    return ui.notice("\n".join(lines), *below, spoken=said)


def denial_form(id: str, request: str | None) -> ui.Json:
    """Return the modal for a request; its id comes back with the submission."""
    after = "The requester reads why, and can ask again."
    field = PlainTextInputElement(action_id=ids.CHOSEN, multiline=True, max_length=LONGEST_REASON)
    return ui.modal(
        f"Deny {id}",
        [
            ui.section(after if request else f"This ends the registration. {after}"),
            InputBlock(block_id=ids.REASON, label="Reason", element=field),
        ],
        close="Not now",
        submit="Deny",
        callback_id=ids.DENIAL,
        private_metadata=bound_value(id, request or id),
    )


def read_denial(view: ui.Json) -> tuple[str, str | None, str]:
    """Return the registration's id, the request's unless it is the plan's, and the reason."""
    reason = view["state"]["values"][ids.REASON][ids.CHOSEN].get("value") or ""
    return *read_bound_value(view["private_metadata"]), reason


def bound_value(id: str, request: str) -> str:
    """Return the value of a button that decides on this request only."""
    return id if request == id else f"{id}:{request}"


def read_bound_value(value: str) -> tuple[str, str | None]:
    """Return the registration's id, and the request's unless it is the plan's."""
    id, _, request = value.partition(":")
    return id, request or None
