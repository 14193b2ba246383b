"""Why a registration's state does not allow a verb, as a sentence."""

from collections.abc import Mapping

from bot.approval.rules import Verb
from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState
from bot.domain.registration import Registration, Status

TO_BE_TAKEN_BACK = frozenset({Status.READY, Status.FAILED})
"""States in which there is something in Entra still, which has to go before it can go for good."""

TAKEN_BACK_BY: Mapping[Status, str] = {
    Status.PENDING: "Its requester can cancel it, and an approver can deny it.",
    Status.FAILED: "`/aad-setup undo {id}` removes what it has made.",
    Status.READY: "`/aad-setup revoke {id}` deletes it from Entra, if it is no longer needed.",
}
"""By the state, how what is no longer wanted is taken back."""

BY_STATE: Mapping[Status, str] = {
    Status.PLANNING: "{id} is still being checked. Its card will change by itself.",
    Status.PENDING: "{id} waits for approval. Its card will change by itself.",
    Status.APPROVED: "{id} is being set up. Its card will change by itself.",
    Status.READY: "{id} is already set up.",
    Status.FAILED: "{id} has failed. Its card says why; *Retry* continues where it stopped.",
    Status.REFUSED: "{id} was refused. Its card says why; ask again with `/aad-setup`.",
    Status.EXPIRED: "{id} has expired. Ask again with `/aad-setup`.",
    Status.REVOKING: "{id} is being revoked. Its card says when that is done.",
}

ACTION: Mapping[Verb, str] = {
    Verb.PURGE: "delete",
    Verb.VALUES: "show",
    Verb.REVEAL: "show",
    Verb.REPLACE_SECRET: "replace",
}
"""How a verb reads in "there is nothing to …", where its own name does not fit."""


def wrong_state(verb: Verb, registration: Registration) -> str:
    """Say why the registration's state does not allow the verb, who decided it if it was decided,
    and how to cancel, undo or revoke it in this state if the verb was one of these.
    """
    why = _reason(verb, registration)
    taking_back = verb in (Verb.CANCEL, Verb.UNDO, Verb.REVOKE)
    hint = TAKEN_BACK_BY.get(registration.status, "") if taking_back else ""
    return f"{why} {hint.format(id=registration.id)}".rstrip()


def decided(verb: Verb, registration: Registration, request: ApprovalRequest | None) -> str:
    """Say why approvers can no longer decide on a request, or not yet."""
    if request is not None and request.kind is not RequestKind.PLAN:
        was = ENDED.get(request.state, str(request.state))
        return f"This {request.kind} of {registration.id} was {was} already."
    return wrong_state(verb, registration)


ENDED: Mapping[RequestState, str] = {
    RequestState.APPROVED: "confirmed",
    RequestState.DONE: "confirmed",
    RequestState.FAILED: "confirmed",
    RequestState.WAITING: "withdrawn",  # by a change of the registration's state
    RequestState.SUPERSEDED: "withdrawn",
}


def _reason(verb: Verb, registration: Registration) -> str:
    id, status = registration.id, registration.status
    if verb in (Verb.APPROVE, Verb.DENY, Verb.WITHDRAW, Verb.CANCEL):
        # By its verdict, not by its time: the clocks of two replicas may differ.
        verdict, done = ("deny", "denied") if status is Status.DENIED else ("approve", "approved")
        decisive = [
            vote for vote in registration.votes if vote.verdict == verdict and vote.void is None
        ]
        if decisive and status not in (Status.PENDING, Status.CANCELLED, Status.EXPIRED):
            return f"<@{decisive[-1].person.user_id}> already {done} {id}."
    if verb is Verb.PURGE and status in TO_BE_TAKEN_BACK:
        first = "undo" if status is Status.FAILED else "revoke"
        return (
            f"{first.capitalize()} {id} first (`/aad-setup {first} {id}`); after that you can"
            " delete it permanently."
        )
    otherwise = f"{id} was {status}, so there is nothing to {ACTION.get(verb, str(verb))}."
    return BY_STATE.get(status, otherwise).format(id=id)
