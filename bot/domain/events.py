"""The events that history knows, and the subjects of messages and timers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, Self

from bot.domain.approval_requests import RequestKind
from bot.domain.secrets import Stage


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

    CONSENT_AWAITED = "consent awaited"
    SIGNED_IN = "approver signed in"
    CONSENT_GIVEN = "consent given"
    CONSENT_WITHDRAWN = "consent withdrawn"
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


class Topic(StrEnum):
    """Which kind of subject a kind of message or timer has."""

    NONE = "none"  # the registration itself
    SECRET = "secret"
    EXPIRY = "expiry"  # of a secret, at a stage
    REQUEST = "request"
    RUN = "run"
    USER = "user"
    MESSAGE = "message"


class Kind(StrEnum):
    """A kind of message or timer: what is stored for it, and its topic unless that is NONE."""

    topic: Topic

    def __new__(cls, value: str, topic: Topic = Topic.NONE) -> Self:
        kind = str.__new__(cls, value)
        kind._value_, kind.topic = value, topic
        return kind


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An id, of an expiry also the stage. Nothing is set if there is no subject."""

    secret: str = ""
    stage: Stage | None = None
    request: str = ""
    run: str = ""
    user: str = ""
    message: str = ""

    @property
    def text(self) -> str | None:
        """What is stored of it."""
        if self.stage is not None:
            return f"{self.secret}:{self.stage:d}"
        return self.secret or self.request or self.run or self.user or self.message or None

    @classmethod
    def read(cls, topic: Topic, text: str | None) -> Self:
        """Read what is stored. Raises ValueError for a malformed expiry."""
        match topic, text:
            case Topic.NONE, _:
                return cls()
            case _, None:
                return cls()
            case Topic.EXPIRY, _:
                secret, _, stage = text.partition(":")
                return cls(secret=secret, stage=Stage(int(stage)))
            case _:
                fields: dict[str, Any] = {topic: text}
                return cls(**fields)

    def checked(self, topic: Topic) -> Self:
        assert self.read(topic, self.text) == self, f"{self} is no subject of {topic}"
        return self


NO_SUBJECT = Subject()
