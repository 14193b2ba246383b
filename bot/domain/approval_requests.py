"""Approval requests, their votes, and the quorum: how many approvals are needed, and of whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.people import Person
from bot.domain.runs import RunKind


class RequestKind(StrEnum):
    """The kinds of approval requests."""

    PLAN = "plan"
    ROTATION = "rotation"  # another secret beside the one in use
    HANDOVER = "handover"  # another person is to be the requester
    PURGE = "purge"  # delete the removed objects from Entra's bin


CARRIED_OUT_BY: Mapping[str, RequestKind] = {
    RunKind.ADD_SECRET: RequestKind.ROTATION,
    RunKind.PURGE: RequestKind.PURGE,
}
"""Runs whose subject is the request that was approved, and its kind: an approval of something else,
such as the plan, is none of this."""


class RequestState(StrEnum):
    """How far an approval request has come."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"  # by the person who asked for it, or by the requester
    EXPIRED = "expired"  # without a decision in time
    SUPERSEDED = "superseded"  # it has lost its point, or another has taken its place
    DONE = "done"  # the run that it was approved for has ended well
    FAILED = "failed"  # that run has failed


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One approver's decision."""

    person: Person
    verdict: str  # "approve" or "deny"
    at: datetime
    digest: str = ""  # of the plan that was voted on
    groups: tuple[str, ...] = ()  # the approver groups that the person belonged to then
    void: str | None = None  # why it no longer counts


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """Something that approvers decide on."""

    id: str  # of the plan's request, the registration's id
    kind: RequestKind
    asked_by: Person
    asked_at: datetime
    expires_at: datetime | None = None
    digest: str = ""  # of the plan that it is about
    state: RequestState = RequestState.WAITING
    payload: Mapping[str, Any] = field(default_factory=dict)
    votes: tuple[Vote, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return self.state is RequestState.WAITING

    @property
    def to(self) -> Person | None:
        """Who is to be the requester, if that is asked for."""
        return Person(**self.payload["to"]) if "to" in self.payload else None

    def vote_of(self, person: Person) -> Vote | None:
        """Return this person's vote, if it still counts."""
        mine = (vote for vote in self.votes if vote.person.key == person.key)
        return next((vote for vote in mine if vote.void is None), None)

    def approvals(self) -> tuple[Vote, ...]:
        """Return the votes in favour that still count."""
        return tuple(vote for vote in self.votes if vote.verdict == "approve" and vote.void is None)


NAMED = ("",)
"""The single party of all approvers who are named and belong to no approver group."""


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """The approvals that are needed."""

    needed: int = 1
    distinct_groups: bool = False
    """Whether each approval has to speak for an approver group of its own."""

    def at_least(self, other: "Quorum") -> "Quorum":
        """Return the stricter of both."""
        return Quorum(
            needed=max(self.needed, other.needed),
            distinct_groups=self.distinct_groups or other.distinct_groups,
        )

    def missing(self, approvals: Sequence[Vote]) -> int:
        """Return how many are missing. A member of several groups counts where it helps most."""
        if not self.distinct_groups:
            return max(0, self.needed - len(approvals))
        return max(0, self.needed - _most_parties([vote.groups or NAMED for vote in approvals]))


ONE_APPROVAL = Quorum()


def _most_parties(choices: Sequence[Sequence[str]]) -> int:
    """Return how many of these can be given a party of their own: a bipartite matching."""
    holder: dict[str, int] = {}

    def place(chooser: int, seen: set[str]) -> bool:
        for party in choices[chooser]:
            if party in seen:
                continue
            seen.add(party)
            if party not in holder or place(holder[party], seen):
                holder[party] = chooser
                return True
        return False

    return sum(place(chooser, set()) for chooser in range(len(choices)))
