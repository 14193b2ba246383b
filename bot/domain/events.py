"""The events that history knows."""

from enum import StrEnum
from typing import NewType

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
    ROTATED = "rotated"
    PREVIOUS_REMOVAL_REQUESTED = "previous secret over"
    PREVIOUS_REMOVED = "previous secret removed"

    CHECK_REQUESTED = "check asked"
    CHECKED = "checked"
    CHECK_FAILED = "check failed"
    SWEPT = "swept"
    RESTORED = "restored"
    ORPHAN = "orphan"


RequestEvent = NewType("RequestEvent", str)
"""An event of a request for anything but a plan: its kind, and one of REQUEST_EVENTS."""
REQUEST_EVENTS = ("confirmed", "vote withdrawn", "denied", "cancelled", "expired", "withdrawn")
OF_PLAN = {"confirmed": Event.APPROVED, "vote withdrawn": Event.WITHDRAWN}
"""The events of a plan's request that are named otherwise than those of other requests."""


def event(kind: RequestKind, what: str) -> Event | RequestEvent:
    """Return an event of a request of this kind."""
    if kind is RequestKind.PLAN:
        return OF_PLAN.get(what) or Event(what)
    return RequestEvent(f"{kind} {what}")
