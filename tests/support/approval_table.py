"""Who may do what and when, written without a look at the code's table."""

from bot.approval import Role, Verb
from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status

WAITING = Status.WAITING_FOR_CONSENT
ALIVE = {Status.PLANNING, Status.PENDING, Status.APPROVED, WAITING, Status.FAILED, Status.READY}


OVER = set(Status) - ALIVE - {Status.REVOKING}


R, A, N = Role.REQUESTER, Role.APPROVER, Role.BYSTANDER


# Written out by hand, so that a slip in the code's table does not repeat itself here.
ALLOWED = {
    Verb.SEE: ({R, A, N}, set(Status)),
    Verb.HISTORY: ({R, A}, set(Status)),
    Verb.ASK_AGAIN: ({R}, OVER),
    Verb.APPROVE: ({A}, {Status.PENDING}),
    Verb.DENY: ({A}, {Status.PENDING}),
    Verb.WITHDRAW: ({A}, {Status.PENDING}),
    Verb.CANCEL: ({R, Role.ASKER}, {Status.PENDING}),
    Verb.RETRY: ({R, A}, {Status.FAILED}),
    Verb.UNDO: ({R, A}, {Status.FAILED}),
    Verb.REVOKE: ({R, A}, {WAITING, Status.READY, Status.REVOKING}),
    Verb.PURGE: ({A}, {Status.UNDONE, Status.REVOKED}),
    Verb.VALUES: ({R}, {Status.READY}),
    Verb.REVEAL: ({R}, {Status.READY}),
    Verb.REPLACE_SECRET: ({R}, {Status.READY}),
    Verb.CHECK: ({R, A}, {WAITING, Status.READY}),
    Verb.GRANT: ({A}, {WAITING}),
    Verb.HAND_OVER: ({R, A}, ALIVE),
    Verb.ROTATE: ({R, A}, {Status.READY}),
    Verb.REMOVE_PREVIOUS: ({R, A}, {Status.READY}),
}


NEVER_OWN = {Verb.APPROVE, Verb.DENY, Verb.WITHDRAW}


WAITS = {
    RequestKind.PLAN: {Status.PENDING},
    RequestKind.ROTATION: {Status.READY},
    RequestKind.HANDOVER: ALIVE,
    RequestKind.PURGE: {Status.UNDONE, Status.REVOKED},
}
