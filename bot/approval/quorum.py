"""The quorum: how many approvals a plan or a rotation needs, of whom, and how many are missing."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.approval_requests import Vote

NAMED = ("",)
"""The single party of all approvers who are named and belong to no approver group."""


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """The approvals that are needed."""

    needed: int
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
