"""Ballots: requests and their approvals by history. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from bot.domain.approval_requests import CARRIED_OUT_BY, RequestKind
from bot.domain.events import Event
from bot.domain.registration import Status
from bot.storage.history import Entry

PLAN = RequestKind.PLAN
ENDS = frozenset({"refused", "denied", "cancelled", "expired", "undone", "revoke asked", "revoked"})
"""Entries after which no approval before them counts."""
REQUEST_ENDS = frozenset({"denied", "expired", "withdrawn", "cancelled"})
"""Ends of any other request, in whose entries its kind stands before these."""
CARRIED_OUT: Mapping[str, RequestKind] = {
    "rotated": RequestKind.ROTATION,
    "handed over": RequestKind.HANDOVER,
    "purged": RequestKind.PURGE,
}


@dataclass
class Ballot:
    """The approvals that count by history: of the plan, or of the latest request of a kind."""

    request: str | None = None
    asked_by: str = ""
    """Who asked for it, unless it is the plan."""
    to: str | None = None
    """Who is to be the requester, if that is asked for."""
    digest: str | None = None
    groups: dict[str, Sequence[str] | None] = field(default_factory=dict)
    """By the voter's user id, the approver groups that the vote spoke for."""
    quorum: Mapping[str, Any] | None = None
    is_carried_out: bool = False
    at: datetime | None = None
    """When the latest of them was given."""

    def add(self, entry: Entry) -> None:
        if entry.details.get("digest") != self.digest:  # another plan was made since
            self.groups.clear()
        self.digest = entry.details.get("digest")
        self.quorum, self.at = entry.details.get("quorum"), entry.at
        self.groups[entry.user_id] = entry.details.get("groups")
        self.groups |= entry.details.get("judged", {})


class Expected(NamedTuple):
    """The requester, the plan and the approvals by history."""

    requester: str
    planned: str | None
    """The digest of the newest plan."""
    ballots: Mapping[RequestKind, Ballot]
    owners: frozenset[str]
    """The user ids of every requester, the previous ones, too."""
    made_at: datetime | None
    """When the newest secret was announced that approvers have asked for, not one in its place."""


def replay(entries: Sequence[Entry]) -> Expected:
    """Return who asked and which approvals count after these entries."""
    requester, planned, plan = "", None, Ballot()
    ballots = defaultdict(Ballot, {PLAN: plan})
    latest, owners, made_at = plan, set(), None
    for entry in entries:
        kind, what = _read_event(entry)
        match what:
            case "submitted":
                requester = entry.user_id
                owners.add(requester)
            case "handed over":
                requester = entry.details["to"]
                owners.add(requester)
            case "ready" if not plan.is_carried_out:
                plan.is_carried_out, made_at = True, entry.at
            case Event.CONSENT_GIVEN if not plan.is_carried_out:
                plan.at = entry.at  # an administrator has decided, too
            case "planned":
                planned = entry.details.get("digest")
            case "asked" if kind is not RequestKind.PLAN:
                ballots[kind] = _asked(entry)
                latest = ballots[kind] if kind is RequestKind.ROTATION else latest
            case "approved" | "confirmed":
                ballots[kind].add(entry)
            case "vote withdrawn":
                ballots[kind].groups.pop(entry.user_id, None)
            case "withdrawn" if kind is RequestKind.PLAN:
                plan.groups.pop(entry.user_id, None)
            case "approval void":
                _void(ballots, latest, entry).groups.pop(entry.details["of"], None)
            case _ if kind is RequestKind.PLAN and what in ENDS:
                plan.groups.clear()
            case _ if kind is not RequestKind.PLAN and what in REQUEST_ENDS:
                ballots[kind].groups.clear()
        made_at = entry.at if what == "rotated" else made_at
        run = str(entry.details.get("run")) if what == "failed" else ""
        if done := CARRIED_OUT.get(what) or CARRIED_OUT_BY.get(run):
            ballots[done].groups.clear()
    return Expected(requester, planned, dict(ballots), frozenset(owners), made_at)


def _read_event(entry: Entry) -> tuple[RequestKind, str]:
    """Return the kind of request that an entry is about, and the rest of its name. A restore that
    has found the registration ready or revoked is read like the run that had made it so.
    """
    became = entry.details.get("became") if entry.what == Event.RESTORED else None
    what = became if became in (Status.READY, Status.REVOKED) else entry.what
    kind, _, rest = what.partition(" ")
    return (RequestKind(kind), rest) if rest and kind in set(RequestKind) else (PLAN, what)


def _asked(entry: Entry) -> Ballot:
    request = entry.details.get("request") or entry.details.get("rotation")
    return Ballot(request=request, asked_by=entry.user_id, to=entry.details.get("to"))


def _void(ballots: Mapping[RequestKind, Ballot], latest: Ballot, entry: Entry) -> Ballot:
    """Return the ballot whose approval no longer counts. Old entries do not name it."""
    request = entry.details.get("request")
    if request is None:
        return latest
    return next((it for it in ballots.values() if it.request == request), ballots[PLAN])
