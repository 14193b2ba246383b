"""The model: what is known of a registration, and what must be allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.approval import Role, Verb
from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from graph.consent import Granted
from graph.errors import GraphError, NotFound
from graph.permissions import Kind, Permission, lookup
from tests.reliability.state_machine.cast import STRICT, Figure
from tests.support.approval_table import ALLOWED, NEVER_OWN, WAITS
from tests.support.history_checks import Key
from tests.support.secret_lives import SecretLife

WAITING = Status.WAITING_FOR_CONSENT
OPEN = {Status.PLANNING, Status.PENDING, Status.APPROVED, WAITING, Status.FAILED}

REMINDERS = [timedelta(days=days) for days in (1, 3, 6)]
"""Of consent, counted from when it began to be waited for."""

TAKEN = OPEN | {Status.READY, Status.REVOKING}

AT_REST = {
    *(SecretLife.MASKED, SecretLife.UNMASKED, SecretLife.UNKNOWN, SecretLife.REMOVED),
    SecretLife.REPLACED,
}

ON_SCREEN = {SecretLife.CLAIMED, SecretLife.SHOWN}

IN_ENTRA = {
    *(SecretLife.SEALED, SecretLife.CLAIMED, SecretLife.SHOWN, SecretLife.MASKED),
    *(SecretLife.UNMASKED, SecretLife.UNKNOWN, SecretLife.CLOSED),
}

CAN_BE_RENEWED = AT_REST | {SecretLife.CLOSED}

CAN_BE_FOLLOWED = CAN_BE_RENEWED | {SecretLife.SHOWN}

WORKS = ON_SCREEN | {
    SecretLife.SEALED,
    SecretLife.MASKED,
    SecretLife.UNMASKED,
    SecretLife.UNKNOWN,
}

IN_USE = {SecretLife.SHOWN, SecretLife.MASKED, SecretLife.UNMASKED, SecretLife.UNKNOWN}


@dataclass
class Held:
    """A secret that the model knows of."""

    id: str
    state: SecretLife
    expires_at: datetime
    follows: bool = False  # whether a rotation has made it
    remove_at: datetime | None = None


@dataclass
class Wish:
    """A rotation, a handover or a purge that was asked for."""

    kind: RequestKind
    asked_by: Key
    until: datetime
    to: Key | None = None
    votes: dict[Key, str] = field(default_factory=dict)
    denied_by: Key | None = None
    waits: bool = True


GRANTED_BY: Mapping[str, Permission] = {
    "role:User.Read.All": lookup("User.Read.All", Kind.ROLE),
    "scopes": lookup("User.Read.All", Kind.SCOPE),
}
AWAITED = frozenset(GRANTED_BY)
"""The steps of a plan that an administrator takes, where the bot does not."""
HARMLESS, FOREIGN = "openid", "Mail.Read"


@dataclass
class Consent:
    """An administrator's grants: those in Entra, and those that the bot has seen there."""

    in_entra: set[str] = field(default_factory=set)
    is_lost: bool = False  # with the service principal
    is_unread: bool = False  # Graph does not answer
    made_at: datetime | None = None  # the service principal
    seen: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)  # as the card says
    missed: set[str] = field(default_factory=set)  # at the latest look
    is_foreign: bool = False  # the latest look has seen what was not asked for
    is_missing: bool = False  # the latest look has not found the service principal
    extras: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    since: datetime | None = None  # it waits, with runs in between that took no retry
    began_at: datetime | None = None  # to wait, as its reminders count
    look_at: datetime | None = None
    remind_at: datetime | None = None
    calls: int = 0
    alarms: int = 0
    is_given: bool = False  # at some time all of them were there

    @property
    def found(self) -> Granted | GraphError | None:
        """What a look finds now, or nothing if Graph does not answer."""
        if self.is_unread:
            return None
        if self.is_lost:
            return NotFound()
        return Granted(
            permissions=frozenset(GRANTED_BY[it] for it in AWAITED & self.in_entra),
            steps=AWAITED & self.in_entra,
            extras=(HARMLESS,) if HARMLESS in self.in_entra else (),
            foreign=(f"{FOREIGN} was granted.",) if FOREIGN in self.in_entra else (),
        )


@dataclass
class Expected:
    """What the model knows of one registration."""

    id: str
    profile: str
    name: str
    requester: Key
    status: Status = Status.PLANNING
    former: set[Key] = field(default_factory=set)
    votes: dict[Key, str] = field(default_factory=dict)  # whom each approval speaks for
    decided_by: Key | None = None
    approved_at: datetime | None = None
    run: RunKind | None = RunKind.PLAN
    has_plan: bool = False
    has_application: bool = False
    is_in_bin: bool = False
    is_purged: bool = False
    held: list[Held] = field(default_factory=list)  # the newest is the last
    wishes: list[Wish] = field(default_factory=list)  # the latest is the last
    until: datetime | None = None  # when the present state of it, or of its secret, ends by itself
    doubtful_at: datetime | None = None
    consent: Consent = field(default_factory=Consent)
    said: list[tuple[str, Key]] = field(default_factory=list)  # what people did, in order

    def may(self, verb: Verb, figure: Figure, wish: Wish | None = None) -> bool:
        """Whether the table lets this person do it now, to the plan or to something that waits."""
        if not figure.is_sure:
            return False
        if self.is_own(verb, figure):
            return False
        is_requester = {Role.REQUESTER} if figure.key == self.requester else set()
        is_approver = {Role.APPROVER} if figure.decides else set()
        asked = wish is not None and figure.key == wish.asked_by
        is_asker = {Role.ASKER} if asked and figure.key not in self.former else set()
        roles, states = ALLOWED[verb]
        held = is_requester | is_asker | is_approver or {Role.BYSTANDER}
        return bool(roles & held) and (wish is not None or self.status in states)

    def is_own(self, verb: Verb, figure: Figure) -> bool:
        """Whether it is never theirs to do this, as they ask for it or have asked."""
        return verb in NEVER_OWN and figure.key in self.former | {self.requester}

    @property
    def secret(self) -> SecretLife | None:
        return self.held[-1].state if self.held else None

    @secret.setter
    def secret(self, state: SecretLife) -> None:
        self.held[-1].state = state

    def latest(self, kind: RequestKind) -> Wish | None:
        return next((each for each in reversed(self.wishes) if each.kind is kind), None)

    def waiting(self, kind: RequestKind) -> Wish | None:
        """What waits for approvers of this kind."""
        latest = self.latest(kind)
        return latest if latest and latest.waits and self.status in WAITS[kind] else None

    def has_voted(self, who: Key) -> bool:
        """Whether this person has decided on anything of it."""
        others = any(who in each.votes or who == each.denied_by for each in self.wishes)
        return who in self.votes or others

    def can_be_followed(self, now: datetime) -> bool:
        """Whether another secret may be made beside the newest."""
        others = [it for it in self.held[:-1] if it.state in WORKS and it.expires_at > now]
        return self.run is None and self.secret in CAN_BE_FOLLOWED and not others

    def is_to_be_told(self, now: datetime) -> bool:
        """Whether somebody has to hear when a secret expires that works and may be in use."""
        used = [it for it in self.held if it.state in IN_USE and it.remove_at is None]
        return self.status is Status.READY and any(it.expires_at > now for it in used)

    def is_enough(self, parties: list[str], needed: int) -> bool:
        if self.profile == STRICT:
            return len(set(parties)) >= 2 and len(parties) >= needed
        return len(parties) >= needed
