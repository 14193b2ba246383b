"""What approvers decide on: votes, and the request for a rotation."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.people import Person


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One approver's decision."""

    person: Person
    verdict: str  # "approve" or "deny"
    at: datetime
    digest: str = ""  # of the plan that was voted on
    groups: tuple[str, ...] = ()  # the approver groups that the person belonged to then
    void: str | None = None  # why it no longer counts
    rotation: str = ""  # the id of the rotation it is about; the plan's votes have none


class RotationState(StrEnum):
    """How far the wish for a rotation has come."""

    ASKED = "asked"  # it waits for its approvers
    CONFIRMED = "confirmed"  # the run is at it
    DENIED = "denied"
    EXPIRED = "expired"  # nobody decided in time
    WITHDRAWN = "withdrawn"  # somebody else has become the requester
    CANCELLED = "cancelled"  # taken back by whoever asked for it, or by the requester
    FAILED = "failed"
    DONE = "done"


class RotationNews(StrEnum):
    """What the requester is told of a rotation."""

    ASKED = "asked"  # by an approver
    CANCELLED = "cancelled"  # by that approver
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"
    RETIRED = "retired"  # the secret before it is removed


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The wish for a new secret beside the one in use, which its approvers have to confirm."""

    id: str
    asked_by: Person
    asked_at: datetime
    until: datetime  # when it expires unless it was decided
    state: RotationState = RotationState.ASKED
