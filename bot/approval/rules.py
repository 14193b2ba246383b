"""The rules: who may use a verb, in which states, and what the others are told: one table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import WAITS_IN, Status
from bot.domain.secrets import SecretState


class Verb(StrEnum):
    """What a person can do to a registration."""

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
    HAND_OVER = "hand over"
    ROTATE = "rotate"
    REMOVE_PREVIOUS = "remove the previous secret"


class Role(StrEnum):
    """What a person is to a registration. Somebody can be several."""

    REQUESTER = "requester"
    ASKER = "person who asked for it"  # of approvers, and is no previous requester
    APPROVER = "approver"
    BYSTANDER = "bystander"


class Rule(NamedTuple):
    """Who may use a verb, in which states, and what the others are told."""

    roles: frozenset[Role]
    states: frozenset[Status]
    otherwise: str


ANYBODY = frozenset(Role)
REQUESTER = frozenset({Role.REQUESTER})
APPROVER = frozenset({Role.APPROVER})
EITHER = REQUESTER | APPROVER

ANY_STATE = frozenset(Status)
FAILED = frozenset({Status.FAILED})
READY = WAITS_IN[RequestKind.ROTATION]
LIVING = WAITS_IN[RequestKind.HANDOVER]
TAKEN_BACK = WAITS_IN[RequestKind.PURGE]

ASKABLE_AGAIN = frozenset(
    {
        Status.REFUSED,
        Status.DENIED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.UNDONE,
        Status.REVOKED,
    }
)
"""Ends after which the requester may ask for the same once more."""

RULES: Mapping[Verb, Rule] = {
    Verb.SEE: Rule(ANYBODY, ANY_STATE, ""),
    Verb.HISTORY: Rule(
        EITHER, ANY_STATE, "Only the requester or an approver can read the history of this."
    ),
    Verb.ASK_AGAIN: Rule(
        REQUESTER,
        ASKABLE_AGAIN,
        "Only the requester can ask for this again. `/aad-setup` opens an empty form.",
    ),
    Verb.APPROVE: Rule(APPROVER, ANY_STATE, "Only an approver can approve this."),
    Verb.DENY: Rule(
        APPROVER,
        ANY_STATE,
        "Only an approver can deny this. If you asked for it, you can cancel it.",
    ),
    Verb.WITHDRAW: Rule(APPROVER, ANY_STATE, "Only an approver can withdraw an approval."),
    Verb.CANCEL: Rule(
        REQUESTER | {Role.ASKER},
        ANY_STATE,
        "Only the requester or the person who asked for this can cancel it.",
    ),
    Verb.RETRY: Rule(EITHER, FAILED, "Only the requester or an approver can retry this."),
    Verb.UNDO: Rule(EITHER, FAILED, "Only the requester or an approver can undo this."),
    Verb.REVOKE: Rule(
        EITHER, READY | {Status.REVOKING}, "Only the requester or an approver can revoke this."
    ),
    Verb.PURGE: Rule(APPROVER, TAKEN_BACK, "Only an approver can ask to delete this for good."),
    Verb.VALUES: Rule(REQUESTER, READY, "Only the requester gets the values."),
    Verb.REVEAL: Rule(REQUESTER, READY, "Only the requester can see the secret."),
    Verb.REPLACE_SECRET: Rule(REQUESTER, READY, "Only the requester can make a new secret."),
    Verb.CHECK: Rule(EITHER, READY, "Only the requester or an approver can have this checked."),
    Verb.HAND_OVER: Rule(EITHER, LIVING, "Only the requester or an approver can hand this over."),
    Verb.ROTATE: Rule(EITHER, READY, "Only the requester or an approver can ask for a rotation."),
    Verb.REMOVE_PREVIOUS: Rule(
        EITHER, READY, "Only the requester or an approver can remove the previous secret."
    ),
}

DECISIONS = frozenset({Verb.APPROVE, Verb.DENY, Verb.WITHDRAW, Verb.CANCEL})
"""Verbs that are about an approval request, while that waits."""

NOT_FOR_OWN: Mapping[Verb, str] = {
    Verb.APPROVE: "You cannot approve your own registration. Another approver has to decide.",
    Verb.DENY: "You cannot deny your own registration. Another approver has to decide.",
    Verb.WITHDRAW: "You cannot withdraw anything from your own registration.",
}
"""What requesters are told who use these on their own, whatever else they are."""

PREVIOUS_REQUESTER = "You asked for this before it was handed over. Another approver has to decide."
"""What whoever was the requester once is told: else a handover would be a way around that."""

REPLACEABLE = frozenset(
    {
        SecretState.MASKED,
        SecretState.UNKNOWN,
        SecretState.UNMASKED,
        SecretState.CLOSED,
        SecretState.REMOVED,
        SecretState.REPLACED,
    }
)

ROTATABLE = REPLACEABLE | {SecretState.SHOWN}
"""States of a secret in which another may follow it: whatever it is, nobody is about to see it."""
