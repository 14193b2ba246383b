"""The model of a registration, pure: its states, its moves, the people around it, its refusals.

A registration is one wish for an Entra application, from the form to the secret to revocation.
`Status` is its lifecycle only; that work is under way is an open run, and the secret has a small
life of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.approval_requests import ApprovalRequest, Quorum, RequestKind, Vote
from bot.domain.people import Person
from bot.domain.runs import Failure, RunKind, StepState
from bot.domain.secrets import Secret, SecretState


class Status(StrEnum):
    """Where a registration stands."""

    PLANNING = "planning"  # the preflight reads the tenant and makes the plan
    REFUSED = "refused"  # the preflight found reasons against it
    PENDING = "pending"  # the plan waits for its approvers
    DENIED = "denied"
    CANCELLED = "cancelled"  # by the requester
    EXPIRED = "expired"  # without a decision in time
    APPROVED = "approved"  # the run is at it
    WAITING_FOR_CONSENT = "waiting for consent"  # an administrator has to grant permissions
    FAILED = "failed"  # a step gave up; it can be retried
    READY = "ready"  # made, proven, handed over or waiting to be
    UNDONE = "undone"  # the objects of a failed run are removed
    REVOKING = "revoking"  # its objects are being removed
    REVOKED = "revoked"  # its objects are removed

    @property
    def is_end(self) -> bool:
        """Whether nothing can follow."""
        return self not in MOVES


Moves = Mapping[Status, frozenset[Status]]

MOVES: Moves = {
    Status.PLANNING: frozenset({Status.PENDING, Status.REFUSED, Status.FAILED}),
    Status.PENDING: frozenset({Status.APPROVED, Status.DENIED, Status.CANCELLED, Status.EXPIRED}),
    Status.APPROVED: frozenset({Status.READY, Status.FAILED, Status.WAITING_FOR_CONSENT}),
    Status.WAITING_FOR_CONSENT: frozenset({Status.APPROVED, Status.FAILED, Status.REVOKING}),
    Status.FAILED: frozenset({Status.PLANNING, Status.PENDING, Status.APPROVED, Status.UNDONE}),
    Status.READY: frozenset({Status.REVOKING}),
    Status.REVOKING: frozenset({Status.REVOKED}),
}
"""Every move there is; a state that is not among these is an end. Storage makes each move by one
conditional UPDATE."""


RESTORED_MOVES: Moves = {
    Status.PENDING: frozenset({Status.READY, Status.REVOKED}),
    Status.APPROVED: frozenset({Status.READY, Status.REVOKED, Status.FAILED}),
    Status.WAITING_FOR_CONSENT: frozenset({Status.READY, Status.REVOKED}),
    Status.FAILED: frozenset({Status.READY, Status.REVOKED}),
    Status.READY: frozenset({Status.REVOKED}),
    Status.REVOKING: frozenset({Status.REVOKED}),
}
"""Moves that only the comparison of a restored copy with the tenant makes: all changes since the
copy, in one step. Nothing else may take them.
"""


WAITS_IN: Mapping[RequestKind, frozenset[Status]] = {
    RequestKind.PLAN: frozenset({Status.PENDING}),
    RequestKind.ROTATION: frozenset({Status.READY}),
    RequestKind.HANDOVER: frozenset(
        {Status.PLANNING, Status.PENDING, Status.APPROVED, Status.WAITING_FOR_CONSENT}
        | {Status.FAILED, Status.READY}
    ),
    RequestKind.PURGE: frozenset({Status.UNDONE, Status.REVOKED}),
}
"""In which states a request of each kind can wait: a move to another supersedes it."""


def origins(target: Status, moves: Moves = MOVES) -> frozenset[Status]:
    """Return the states from which a registration may move to `target`."""
    return frozenset(status for status, targets in moves.items() if target in targets)


class RunOutcome(StrEnum):
    """How a run ended that did not fail; of one that did, the code is kept instead."""

    PLANNED = "planned"
    REFUSED = "refused"  # the preflight found reasons against it
    HANDED_OVER = "ready"  # it made a secret, proved it and announced it
    AWAITS_CONSENT = "awaits consent"  # another run goes on once an administrator has consented
    DONE = "done"  # the cleanup is complete
    UNDONE = "undone"
    REVOKED = "revoked"
    PURGED = "purged"
    CHECKED = "checked"
    UNSETTLED = "unsettled"  # too early for a check
    OVERRULED = "overruled"  # it had to make way for a more urgent one


@dataclass(frozen=True, kw_only=True)
class Form:
    """The requester's input. `options` are the profile's own fields."""

    profile: str
    name: str
    reason: str
    secret_days: int
    redirect: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of the latest comparison of the tenant with the plan, as people read it."""

    at: datetime
    differences: tuple[str, ...] = ()
    alarming: tuple[str, ...] = ()  # of these, those that may be an attack
    tolerated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    failure: str | None = None  # why the bot could not look


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What the latest look at an administrator's grants has found. Permissions are written as in
    “User.Read.All (application)”.
    """

    at: datetime
    granted: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()  # granted at the look before: a replica may lag
    withdrawn: tuple[str, ...] = ()  # granted before, and missed twice
    extras: tuple[str, ...] = ()  # harmless ones that the Entra admin centre has added
    foreign: tuple[str, ...] = ()  # sentences on what was not approved
    sees_scopes: bool = True  # whether the bot may see delegated grants
    trouble: str | None = None  # why the bot could not look
    by: str = ""  # the Slack user id of the approver who has signed in and granted, if one has
    account: str = ""  # as the tenant names the account of that approver
    context: str = ""  # the authentication context of that sign-in, if one was asked for
    with_code: bool = False  # whether that sign-in was with a code, bound to no browser


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """Who revoked a registration, and when."""

    by: Person
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """Something the registration had made and has deleted: for 30 days it is in Entra's bin."""

    step: str  # the one that had made it
    object_id: str
    app_id: str
    at: datetime
    was_there: bool  # else it was gone before the bot deleted it


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One registration, as storage holds it."""

    id: str
    version: int
    status: Status
    requester: Person
    form: Form
    profile_digest: str
    key: str  # the application's uniqueName in Entra
    created_at: datetime
    deadline: datetime | None = None  # when the present state ends by itself
    plan: Mapping[str, Any] | None = None
    digest: str | None = None
    quorum: Quorum | None = None  # what the plan took, once it is approved
    reasons: tuple[str, ...] = ()  # of a refusal, or of a denial
    failure: Failure | None = None
    requests: tuple[ApprovalRequest, ...] = ()  # all that were ever asked for, the latest last
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: tuple[StepState, ...] = ()  # of the latest run that has any
    began_at: datetime | None = None  # when that run was added
    run: RunKind | None = None  # the kind of the open run, if one is at work
    looked_at: datetime | None = field(default=None, compare=False)
    """When it was read to be shown: nothing in storage changes when a secret expires."""
    secret: Secret | None = None  # the newest one that was proven and announced
    other_secrets: tuple[Secret, ...] = ()  # those announced before, and unread ones of rotations
    check: Check | None = None  # the latest one
    consent: Consent | None = None  # while and since an administrator had to consent
    previous_requesters: tuple[Person, ...] = ()  # who was the requester before it was handed over
    revocation: Revocation | None = None
    deleted: tuple[Deleted, ...] = ()
    purged_at: datetime | None = None  # when all that was deleted was known to be gone for good

    @property
    def app_id(self) -> str:
        """The client id of its application, be it deleted since or not. Empty before that."""
        made = self.facts.get("application", {}).get("app_id")
        return str(made or (self.deleted[-1].app_id if self.deleted else ""))

    @property
    def was_begun(self) -> bool:
        """Whether a run has begun to make it: then something may be in Entra before it is ready."""
        return self.began_at is not None

    def was_requested_by(self, person: Person) -> bool:
        """Whether this person was the requester before it was handed over."""
        return any(each.key == person.key for each in self.previous_requesters)

    def request(self, id: str) -> ApprovalRequest | None:
        return next((each for each in self.requests if each.id == id), None)

    def latest(self, kind: RequestKind) -> ApprovalRequest | None:
        """Return the latest request of this kind, however it was decided."""
        return next((each for each in reversed(self.requests) if each.kind is kind), None)

    def waiting(self, kind: RequestKind) -> ApprovalRequest | None:
        """Return the request of this kind that waits for approvers, if one does."""
        return next((each for each in self.waiting_requests if each.kind is kind), None)

    @property
    def waiting_requests(self) -> tuple[ApprovalRequest, ...]:
        return tuple(
            each for each in self.requests if each.is_waiting and self.status in WAITS_IN[each.kind]
        )

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The votes on the plan, the void ones, too."""
        plan = self.latest(RequestKind.PLAN)
        return plan.votes if plan else ()

    def approvals(self) -> tuple[Vote, ...]:
        """Return the approvals of the plan that still count."""
        plan = self.latest(RequestKind.PLAN)
        return plan.approvals() if plan else ()

    def counting(self, request: ApprovalRequest) -> tuple[Vote, ...]:
        """Return the approvals of a request that still count, and are for the present plan."""
        digest = self.digest or ""
        return tuple(vote for vote in request.approvals() if vote.digest == digest)

    def has_voted(self, person: Person) -> bool:
        """Whether this person has ever decided on anything of it."""
        return any(vote.person.key == person.key for it in self.requests for vote in it.votes)

    @property
    def previous_secret(self) -> Secret | None:
        """The secret before the newest one, while Entra still holds it beside that."""
        if self.secret is None:
            return None
        live = [it for it in self.other_secrets if it.is_live and it.made_at < self.secret.made_at]
        return max(live, key=lambda it: it.made_at, default=None)

    @property
    def secret_in_use(self) -> Secret | None:
        """The newest secret that was seen and does not retire; failing that, one that may have
        been seen.
        """
        if self.secret is None:
            return None
        known = (self.secret, *self.other_secrets)
        stays = [it for it in known if it.is_live and it.remove_at is None]
        seen = [it for it in stays if it.state is SecretState.SEEN]
        doubtful = [it for it in stays if it.state is SecretState.UNKNOWN]
        return max(seen or doubtful, key=lambda it: it.made_at, default=None)

    @property
    def is_unseen(self) -> bool:
        """Whether its newest secret waits to be picked up."""
        is_ready = self.status is Status.READY
        return is_ready and self.secret is not None and self.secret.is_unread

    @property
    def has_expired(self) -> bool:
        """Whether the secret in use, or the one to be, no longer worked when it was read."""
        secret = self.secret_in_use or self.secret
        if self.status is not Status.READY or secret is None or not secret.is_live:
            return False
        ends, at = secret.expires_at, self.looked_at
        return ends is not None and at is not None and ends <= at

    @property
    def awaits_secret(self) -> bool:
        """Whether a newer secret is asked for, is being made, or waits to be seen."""
        is_asked = self.waiting(RequestKind.ROTATION) is not None
        if is_asked or self.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET):
            return True
        if self.secret is None or not self.secret.is_live:
            return False
        return self.secret.state in (SecretState.SEALED, SecretState.CLAIMED)
