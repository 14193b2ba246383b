"""Who may do what, and when: one table verb x role x state, and pure functions over it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.environment import EVERYBODY
from bot.quorum import Quorum
from bot.registration import Person, Refusal, Registration, SecretState, Status


class Verb(StrEnum):
    """What a person can do to a registration."""

    SEE = "see"
    HISTORY = "history"
    ASK_AGAIN = "ask again"
    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    RETRY = "retry"
    UNDO = "undo"
    REVOKE = "revoke"
    PURGE = "purge"
    VALUES = "values"
    REVEAL = "reveal"
    RENEW = "renew"
    CHECK = "check"
    HAND_OVER = "hand over"
    CONFIRM = "confirm a handover"
    ROTATE = "rotate"
    CONFIRM_ROTATION = "confirm a rotation"
    DENY_ROTATION = "deny a rotation"


class Role(StrEnum):
    """What a person is to a registration. Somebody can be several."""

    REQUESTER = "requester"
    APPROVER = "approver"
    BYSTANDER = "bystander"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who may use a verb, in which states, and what the others are told."""

    roles: frozenset[Role]
    states: frozenset[Status]
    otherwise: str


ANYBODY = frozenset(Role)
REQUESTER = frozenset({Role.REQUESTER})
APPROVER = frozenset({Role.APPROVER})
EITHER = REQUESTER | APPROVER

ANY_STATE = frozenset(Status)
LIVING = frozenset({Status.PLANNING, Status.PENDING, Status.APPROVED, Status.FAILED, Status.READY})
"""States in which a registration needs somebody who looks after it."""

ASKABLE_AGAIN = frozenset(
    {
        Status.REFUSED,
        Status.DENIED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.UNDONE,
        Status.REVOKED,
    }
)
"""Ends after which the requester may ask for the same once more."""

HOLDING = frozenset({Status.READY, Status.FAILED})
"""States in which there is something to be taken back before anything can be deleted for good."""

RULES: Mapping[Verb, Rule] = {
    Verb.SEE: Rule(roles=ANYBODY, states=ANY_STATE, otherwise=""),
    Verb.HISTORY: Rule(
        roles=EITHER,
        states=ANY_STATE,
        otherwise="Only the requester or an approver can read the history of this.",
    ),
    Verb.ASK_AGAIN: Rule(
        roles=REQUESTER,
        states=ASKABLE_AGAIN,
        otherwise="Only the requester can ask for this again. `/aad-setup` opens an empty form.",
    ),
    Verb.APPROVE: Rule(
        roles=APPROVER,
        states=frozenset({Status.PENDING}),
        otherwise="Only an approver can approve this.",
    ),
    Verb.DENY: Rule(
        roles=APPROVER,
        states=frozenset({Status.PENDING}),
        otherwise="Only an approver can deny this. If you asked for it, you can cancel it.",
    ),
    Verb.WITHDRAW: Rule(
        roles=APPROVER,
        states=frozenset({Status.PENDING}),
        otherwise="Only an approver can withdraw an approval.",
    ),
    Verb.CANCEL: Rule(
        roles=REQUESTER,
        states=frozenset({Status.PENDING}),
        otherwise="Only the requester can cancel this.",
    ),
    Verb.RETRY: Rule(
        roles=EITHER,
        states=frozenset({Status.FAILED}),
        otherwise="Only the requester or an approver can retry this.",
    ),
    Verb.UNDO: Rule(
        roles=EITHER,
        states=frozenset({Status.FAILED}),
        otherwise="Only the requester or an approver can undo this.",
    ),
    Verb.REVOKE: Rule(
        roles=EITHER,
        states=frozenset({Status.READY, Status.REVOKING}),
        otherwise="Only the requester or an approver can revoke this.",
    ),
    Verb.PURGE: Rule(
        roles=APPROVER,
        states=frozenset({Status.UNDONE, Status.REVOKED}),
        otherwise="Only an approver can delete this for good.",
    ),
    Verb.VALUES: Rule(
        roles=REQUESTER,
        states=frozenset({Status.READY}),
        otherwise="Only the requester gets the values.",
    ),
    Verb.REVEAL: Rule(
        roles=REQUESTER,
        states=frozenset({Status.READY}),
        otherwise="Only the requester can see the secret.",
    ),
    Verb.RENEW: Rule(
        roles=REQUESTER,
        states=frozenset({Status.READY}),
        otherwise="Only the requester can make a new secret.",
    ),
    Verb.CHECK: Rule(
        roles=EITHER,
        states=frozenset({Status.READY}),
        otherwise="Only the requester or an approver can have this checked.",
    ),
    Verb.HAND_OVER: Rule(
        roles=EITHER,
        states=LIVING,
        otherwise="Only the requester or an approver can hand this over.",
    ),
    Verb.CONFIRM: Rule(
        roles=APPROVER,
        states=LIVING,
        otherwise="Only an approver can confirm a handover.",
    ),
    Verb.ROTATE: Rule(
        roles=EITHER,
        states=frozenset({Status.READY}),
        otherwise="Only the requester or an approver can ask for a rotation.",
    ),
    Verb.CONFIRM_ROTATION: Rule(
        roles=APPROVER,
        states=frozenset({Status.READY}),
        otherwise="Only an approver can confirm a rotation.",
    ),
    Verb.DENY_ROTATION: Rule(
        roles=APPROVER,
        states=frozenset({Status.READY}),
        otherwise="Only an approver can deny a rotation.",
    ),
}

BEFORE = ("preview", "ask")
"""What is judged by `Policy.check_may_ask` alone, as there is no registration yet."""

SELF = {
    Verb.APPROVE: "You cannot approve your own registration. Another approver has to decide.",
    Verb.DENY: "You cannot deny your own registration. Another approver has to decide.",
    Verb.WITHDRAW: "You cannot withdraw anything from your own registration.",
    Verb.CONFIRM: "You cannot confirm the handover of your own registration. Another approver can.",
    Verb.CONFIRM_ROTATION: "You cannot confirm a rotation of your own registration."
    " Another approver can.",
    Verb.DENY_ROTATION: "You cannot deny a rotation of your own registration."
    " Another approver can.",
}
"""Verbs that are never the requester's, whatever else the requester is."""

FORMER = "You asked for this before it was handed over. Another approver has to decide."
"""Nor are they of whoever was the requester once: else a handover would be a way around that."""

RENEWABLE = frozenset(
    {
        SecretState.MASKED,
        SecretState.UNKNOWN,
        SecretState.UNMASKED,
        SecretState.CLOSED,
        SecretState.REMOVED,
        SecretState.REPLACED,
    }
)

ROTATABLE = RENEWABLE | {SecretState.SHOWN}
"""States of a secret in which another may follow it: whatever it is, nobody is about to see it."""

UNSAID = "Slack did not say who belongs to {}, so nothing was done. Try again in a moment."


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who asks and who decides: ids in the installing team, from the settings."""

    team_id: str
    requesters: frozenset[str]
    approvers: frozenset[str]
    approvals_needed: int
    requester_groups: frozenset[str] = frozenset()
    approver_groups: frozenset[str] = frozenset()
    open_limit: int = 3
    """How many registrations one person may have open at a time."""
    daily_limit: int = 20
    """How many registrations the team may begin in 24 hours."""
    person_daily_limit: int = 10
    """How many of them one person may begin, so that there are some left for the others."""

    @property
    def groups(self) -> frozenset[str]:
        """The user groups whose members have to be known."""
        return self.requester_groups | self.approver_groups

    def quorum(self, *, approvals: int = 1, distinct_groups: bool = False) -> Quorum:
        """Return what it takes to approve where a profile asks for this much."""
        return Quorum(needed=max(self.approvals_needed, approvals), distinct_groups=distinct_groups)

    def unreachable(self, quorum: Quorum) -> str | None:
        """Return why this quorum can never be reached, if that is known without Slack."""
        if self.approver_groups:
            parties = len(self.approver_groups) + bool(self.approvers)
            if quorum.distinct_groups and parties < quorum.needed:
                return f"{quorum.needed} approvers of distinct groups; there are {parties} groups"
            return None
        if quorum.distinct_groups and quorum.needed > 1:
            return f"{quorum.needed} approvers of distinct groups; APPROVER_GROUPS is empty"
        if len(self.approvers) < quorum.needed:
            return f"{quorum.needed} approvers; APPROVERS lists {len(self.approvers)}"
        return None

    def check_reachable(self, quorum: Quorum, registration: Registration, asker: Person) -> None:
        """Raise Refusal if too few can confirm what this person asks for, who does not count."""
        concerned = {registration.requester, *registration.former, asker}
        others = self.approvers - {each.user_id for each in concerned}
        if not self.approver_groups and len(others) < quorum.needed:
            raise Refusal(
                f"This takes {quorum.needed} approvers who have not asked for it themselves, and"
                " there are too few. Ask whoever runs this bot to add another to APPROVERS."
                if asker.key == registration.requester.key
                else f"This takes {quorum.needed} approvers beside you, and there are too few."
                " Let the requester ask for it."
            )

    def check_account(self, person: Person) -> None:
        """Raise Refusal if there is any doubt about who this is."""
        if person.team_id != self.team_id:
            raise Refusal("You belong to another Slack team, so you cannot use this bot.")
        if person.doubts:
            raise Refusal(
                f"Slack says that your account {' and '.join(person.doubts)},"
                " so you cannot use this bot."
            )

    def check_may_ask(self, person: Person) -> None:
        """Raise Refusal unless this person may ask for applications."""
        self.check_account(person)
        is_requester = (
            EVERYBODY in self.requesters
            or person.user_id in self.requesters
            or bool(person.groups & self.requester_groups)
        )
        if not is_requester and person.unread & self.requester_groups:
            raise Refusal(UNSAID.format("the groups of requesters"))
        if not is_requester:
            raise Refusal(
                "You may not ask for applications."
                " Ask whoever runs this bot to add you to REQUESTERS."
            )
        others = self.approvers - {person.user_id}
        if not self.approver_groups and len(others) < self.approvals_needed:
            raise Refusal(
                "You are an approver yourself, and without you there are too few."
                " Ask whoever runs this bot to add another to APPROVERS."
            )

    def check(self, verb: Verb, person: Person, registration: Registration) -> None:
        """Raise Refusal unless the table lets this person do this now."""
        self.check_account(person)
        rule = RULES[verb]
        if verb in SELF and person.key == registration.requester.key:
            raise Refusal(SELF[verb])
        if verb in SELF and registration.was_of(person):
            raise Refusal(FORMER)
        if not rule.roles & self.roles(person, registration):
            if Role.APPROVER in rule.roles and person.unread & self.approver_groups:
                raise Refusal(UNSAID.format("the groups of approvers"))
            raise Refusal(rule.otherwise)
        if registration.status not in rule.states:
            decided = [vote.person for vote in registration.votes]
            raise Refusal(too_late(verb, registration), people=decided)

    def roles(self, person: Person, registration: Registration) -> frozenset[Role]:
        """Return what the person is to this registration."""
        found = set()
        if person.key == registration.requester.key:
            found.add(Role.REQUESTER)
        if self.is_approver(person):
            found.add(Role.APPROVER)
        return frozenset(found) or frozenset({Role.BYSTANDER})

    def is_approver(self, person: Person) -> bool:
        """Whether this person decides on what others ask for."""
        named = person.user_id in self.approvers or bool(person.groups & self.approver_groups)
        return person.team_id == self.team_id and named

    def lost_vote(self, person: Person) -> str | None:
        """Return why what this person has approved no longer counts, if that is so.

        Raises Refusal where Slack did not say enough.
        """
        if person.doubts:
            return f"the account {' and '.join(person.doubts)}"
        if self.is_approver(person):
            return None
        if person.unread & self.approver_groups:
            raise Refusal(UNSAID.format("the groups of approvers"))
        return "no approver any more"

    def parties(self, person: Person, quorum: Quorum) -> tuple[str, ...]:
        """Return the approver groups that this person speaks for, for a quorum of distinct ones.

        Raises Refusal where a group that Slack did not say could make somebody count twice.
        """
        found = tuple(sorted(person.groups & self.approver_groups))
        if quorum.distinct_groups and not found and person.unread & self.approver_groups:
            raise Refusal(UNSAID.format("the groups of approvers"))
        return found


def too_late(verb: Verb, registration: Registration) -> str:
    """Say why the registration's state does not allow the verb, and who decided if somebody did."""
    id, status = registration.id, registration.status
    if verb in (Verb.APPROVE, Verb.DENY, Verb.WITHDRAW, Verb.CANCEL):
        # By its verdict, not by its time: the clocks of two replicas may differ.
        verdict, done = ("deny", "denied") if status is Status.DENIED else ("approve", "approved")
        decisive = [
            vote for vote in registration.votes if vote.verdict == verdict and vote.void is None
        ]
        if decisive and status not in (Status.PENDING, Status.CANCELLED, Status.EXPIRED):
            return f"Too late: <@{decisive[-1].person.user_id}> has {done} {id} already."
    if verb is Verb.PURGE and status in HOLDING:
        first = "undo" if status is Status.FAILED else "revoke"
        return (
            f"{id} has not been deleted, and only what was can be deleted for good."
            f" `/aad-setup {first} {id}` comes first."
        )
    match status:
        case Status.PLANNING:
            return f"{id} is still being checked. Its card will change by itself."
        case Status.PENDING:
            return f"{id} waits for approval. Its card will change by itself."
        case Status.APPROVED:
            return f"{id} is being set up. Its card will change by itself."
        case Status.READY if verb is Verb.UNDO:
            return (
                f"Too late: {id} is ready already. Only what failed can be undone:"
                f" `/aad-setup revoke {id}` takes it back, if nobody needs it."
            )
        case Status.READY:
            return f"Too late: {id} is ready already."
        case Status.FAILED:
            return f"{id} has failed. Its card says why; *Retry* goes on where it stopped."
        case Status.REFUSED:
            return f"{id} was refused. Its card says why; ask again with `/aad-setup`."
        case Status.EXPIRED:
            return f"Too late: {id} has expired. Ask again with `/aad-setup`."
        case Status.REVOKING:
            return f"{id} is being revoked. Its card says when that is done."
        case Status.DENIED | Status.CANCELLED | Status.UNDONE | Status.REVOKED:
            return f"Too late: {id} was {status} already."


def table() -> Iterator[tuple[str, str, str]]:
    """Yield each verb, who may use it, and in which states: what README prints."""
    for verb in BEFORE:
        yield verb, "whoever may ask", "not there yet"
    for verb, rule in RULES.items():
        yield verb, _listed(rule.roles, Role), _listed(rule.states, Status)


def _listed(some: frozenset[Role] | frozenset[Status], every: Iterable[Role | Status]) -> str:
    everything = list(every)
    if len(some) == len(everything):
        return "anybody in the team" if Role.REQUESTER in some else "any"
    return ", ".join(each for each in everything if each in some)
