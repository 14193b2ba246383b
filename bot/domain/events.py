"""The events that history knows."""

from enum import StrEnum

from bot.domain.approval_requests import RequestKind


class Event(StrEnum):
    """An event of a registration.

    The values are stored and signed, so they stay as they are. `handlers.views.history` has the
    words that people read.
    """

    SUBMITTED = "submitted"
    PLANNED = "planned"
    REFUSED = "refused"
    REMINDED = "reminded"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    APPROVAL_VOID = "approval void"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    READY = "ready"
    FAILED = "failed"
    RETRIED = "retried"
    UNDO_REQUESTED = "undo asked"
    UNDONE = "undone"
    REVOKE_REQUESTED = "revoke asked"
    REVOKED = "revoked"
    PURGE_REQUESTED = "purge asked"
    PURGED = "purged"

    HANDOVER_REQUESTED = "handover asked"
    HANDED_OVER = "handed over"
    REQUESTER_LEFT = "requester left"

    SECRET_CLAIMED = "secret claimed"
    SECRET_SHOWN = "secret shown"
    SECRET_UNKNOWN = "secret doubtful"
    SECRET_MASKED = "secret masked"
    SECRET_NOT_MASKED = "secret not masked"
    MASK_REQUESTED = "hidden by hand"
    SECRET_UNREAD = "secret unread"
    UNREAD_REMOVED = "unread secret removed"
    SECRET_EXPIRES = "secret expires"
    SECRET_EXPIRED = "secret expired"
    REPLACEMENT_REQUESTED = "new secret asked"

    ROTATION_REQUESTED = "rotation asked"
    ROTATION_CONFIRMED = "rotation confirmed"
    ROTATION_DENIED = "rotation denied"
    ROTATION_CANCELLED = "rotation cancelled"
    ROTATION_EXPIRED = "rotation expired"
    ROTATION_WITHDRAWN = "rotation withdrawn"
    ROTATED = "rotated"
    PREVIOUS_REMOVAL_REQUESTED = "previous secret over"
    PREVIOUS_REMOVED = "previous secret removed"

    ROTATION_VOTE_WITHDRAWN = "rotation vote withdrawn"
    HANDOVER_CONFIRMED = "handover confirmed"
    HANDOVER_VOTE_WITHDRAWN = "handover vote withdrawn"
    HANDOVER_DENIED = "handover denied"
    HANDOVER_CANCELLED = "handover cancelled"
    HANDOVER_EXPIRED = "handover expired"
    HANDOVER_WITHDRAWN = "handover withdrawn"
    PURGE_CONFIRMED = "purge confirmed"
    PURGE_VOTE_WITHDRAWN = "purge vote withdrawn"
    PURGE_DENIED = "purge denied"
    PURGE_CANCELLED = "purge cancelled"
    PURGE_EXPIRED = "purge expired"
    PURGE_WITHDRAWN = "purge withdrawn"

    CHECK_REQUESTED = "check asked"
    CHECKED = "checked"
    CHECK_FAILED = "check failed"
    SWEPT = "swept"
    RESTORED = "restored"
    ORPHAN = "orphan"


OF_PLAN = {"confirmed": Event.APPROVED, "vote withdrawn": Event.WITHDRAWN}
"""The events of a plan's request that are named otherwise than those of other requests."""


def event(kind: RequestKind, what: str) -> Event:
    """Return an event of a request of this kind."""
    if kind is RequestKind.PLAN:
        return OF_PLAN.get(what) or Event(what)
    return Event(f"{kind} {what}")
