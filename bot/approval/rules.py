"""The rules: one table of the roles and states of each verb, and the sentences for all others."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState
from bot.domain.registration import WAITS_IN, Registration, Status


class Verb(StrEnum):
    """An action on a registration."""

    SEE = "see"
    HISTORY = "history"
    ASK_AGAIN = "ask again"
    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    RETRY = "retry"
    UNDO = "undo"
    REVOKE = "revoke"
    PURGE = "purge"
    VALUES = "values"
    REVEAL = "reveal"
    REPLACE_SECRET = "renew"
    CHECK = "check"
    GRANT = "grant"
    HAND_OVER = "hand over"
    ROTATE = "rotate"
    REMOVE_PREVIOUS = "remove the previous secret"


class Role(StrEnum):
    """A person's role in a registration. A person can have several."""

    REQUESTER = "requester"
    ASKER = "person who asked for it"  # of approvers, and is no previous requester
    APPROVER = "approver"
    BYSTANDER = "bystander"


class Rule(NamedTuple):
    """The roles and states of a verb, and the sentence for people without such a role."""

    roles: frozenset[Role]
    states: frozenset[Status]
    action: str
    hint: str = ""

    @property
    def otherwise(self) -> str:
        who = " or ".join(name for role, name in NAMES.items() if role in self.roles)
        return f"Only {who} {self.action}. {self.hint}".rstrip()


NAMES = {
    Role.REQUESTER: "the requester",
    Role.ASKER: "the person who asked for this",
    Role.APPROVER: "an approver",
}
ANYBODY = frozenset(Role)
REQUESTER = frozenset({Role.REQUESTER})
APPROVER = frozenset({Role.APPROVER})
EITHER = REQUESTER | APPROVER

ANY_STATE = frozenset(Status)
FAILED = frozenset({Status.FAILED})
READY = WAITS_IN[RequestKind.ROTATION]
LIVING = WAITS_IN[RequestKind.HANDOVER]
TAKEN_BACK = WAITS_IN[RequestKind.PURGE]

ASKABLE_AGAIN = frozenset(status for status in Status if status.is_end)
"""Ends after which the requester may ask for the same once more."""

RULES: Mapping[Verb, Rule] = {
    Verb.SEE: Rule(ANYBODY, ANY_STATE, "can see this"),
    Verb.HISTORY: Rule(EITHER, ANY_STATE, "can read the history of this"),
    Verb.ASK_AGAIN: Rule(
        REQUESTER, ASKABLE_AGAIN, "can ask for this again", "`/aad-setup` opens an empty form."
    ),
    Verb.APPROVE: Rule(APPROVER, ANY_STATE, "can approve this"),
    Verb.DENY: Rule(
        APPROVER, ANY_STATE, "can deny this", "If you asked for it, you can cancel it."
    ),
    Verb.WITHDRAW: Rule(APPROVER, ANY_STATE, "can withdraw an approval"),
    Verb.CANCEL: Rule(REQUESTER | {Role.ASKER}, ANY_STATE, "can cancel it"),
    Verb.RETRY: Rule(EITHER, FAILED, "can retry this"),
    Verb.UNDO: Rule(EITHER, FAILED, "can undo this"),
    Verb.REVOKE: Rule(
        EITHER, READY | {Status.WAITING_FOR_CONSENT, Status.REVOKING}, "can revoke this"
    ),
    Verb.PURGE: Rule(APPROVER, TAKEN_BACK, "can ask to delete this for good"),
    Verb.VALUES: Rule(REQUESTER, READY, "gets the values"),
    Verb.REVEAL: Rule(REQUESTER, READY, "can see the secret"),
    Verb.REPLACE_SECRET: Rule(REQUESTER, READY, "can make a new secret"),
    Verb.CHECK: Rule(EITHER, READY | {Status.WAITING_FOR_CONSENT}, "can have this checked"),
    Verb.GRANT: Rule(
        APPROVER, frozenset({Status.WAITING_FOR_CONSENT}), "can sign in to grant this"
    ),
    Verb.HAND_OVER: Rule(EITHER, LIVING, "can hand this over"),
    Verb.ROTATE: Rule(EITHER, READY, "can ask for a rotation"),
    Verb.REMOVE_PREVIOUS: Rule(EITHER, READY, "can remove the previous secret"),
}

DECISIONS = frozenset({Verb.APPROVE, Verb.DENY, Verb.WITHDRAW, Verb.CANCEL})
"""Verbs that are about an approval request, while that waits."""

NOT_FOR_OWN: Mapping[Verb, str] = {
    Verb.APPROVE: "You cannot approve your own registration. Another approver has to decide.",
    Verb.DENY: "You cannot deny your own registration. Another approver has to decide.",
    Verb.WITHDRAW: "You cannot withdraw anything from your own registration.",
}
"""The refusals for requesters who use these on their own, even if they are approvers."""

PREVIOUS_REQUESTER = "You asked for this before it was handed over. Another approver has to decide."
"""The refusal for previous requesters: else a handover would be a way around that."""

TO_BE_TAKEN_BACK = frozenset({Status.WAITING_FOR_CONSENT, Status.READY, Status.FAILED})
"""States in which Entra still holds objects, which must be removed before a purge."""

TAKEN_BACK_BY: Mapping[Status, str] = {
    Status.PENDING: "Its requester can cancel it, and an approver can deny it.",
    Status.FAILED: "`/aad-setup undo {id}` removes what it has made.",
    Status.WAITING_FOR_CONSENT: "`/aad-setup revoke {id}` deletes what it has made.",
    Status.READY: "`/aad-setup revoke {id}` deletes it from Entra, if it is no longer needed.",
}
"""By the state, how to cancel, undo or revoke."""

BY_STATE: Mapping[Status, str] = {
    Status.PLANNING: "{id} is still being checked. Its card will change by itself.",
    Status.PENDING: "{id} waits for approval. Its card will change by itself.",
    Status.APPROVED: "{id} is being set up. Its card will change by itself.",
    Status.WAITING_FOR_CONSENT: "{id} waits for an administrator's consent. Its card says how to"
    " give it.",
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
    if verb in DECISIONS:
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
