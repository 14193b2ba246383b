"""Who may do what, and when: one table verb x role x state, and pure functions over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.config import EVERYBODY
from bot.registration import Person, Refusal, Registration, SecretState, Status


class Verb(StrEnum):
    """What a person can do to a registration."""

    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    RETRY = "retry"
    UNDO = "undo"
    VALUES = "values"
    REVEAL = "reveal"
    RENEW = "renew"
    CHECK = "check"


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


RULES: Mapping[Verb, Rule] = {
    Verb.APPROVE: Rule(
        roles=frozenset({Role.APPROVER}),
        states=frozenset({Status.PENDING}),
        otherwise="Only an approver can approve this.",
    ),
    Verb.DENY: Rule(
        roles=frozenset({Role.APPROVER}),
        states=frozenset({Status.PENDING}),
        otherwise="Only an approver can deny this. If you asked for it, you can cancel it.",
    ),
    Verb.CANCEL: Rule(
        roles=frozenset({Role.REQUESTER}),
        states=frozenset({Status.PENDING}),
        otherwise="Only the requester can cancel this.",
    ),
    Verb.RETRY: Rule(
        roles=frozenset({Role.REQUESTER, Role.APPROVER}),
        states=frozenset({Status.FAILED}),
        otherwise="Only the requester or an approver can retry this.",
    ),
    Verb.UNDO: Rule(
        roles=frozenset({Role.REQUESTER, Role.APPROVER}),
        states=frozenset({Status.FAILED}),
        otherwise="Only the requester or an approver can undo this.",
    ),
    Verb.VALUES: Rule(
        roles=frozenset({Role.REQUESTER}),
        states=frozenset({Status.READY}),
        otherwise="Only the requester gets the values.",
    ),
    Verb.REVEAL: Rule(
        roles=frozenset({Role.REQUESTER}),
        states=frozenset({Status.READY}),
        otherwise="Only the requester can see the secret.",
    ),
    Verb.RENEW: Rule(
        roles=frozenset({Role.REQUESTER}),
        states=frozenset({Status.READY}),
        otherwise="Only the requester can make a new secret.",
    ),
    Verb.CHECK: Rule(
        roles=frozenset({Role.REQUESTER, Role.APPROVER}),
        states=frozenset({Status.READY}),
        otherwise="Only the requester or an approver can have this checked.",
    ),
}

SELF = {Verb.APPROVE: "approve", Verb.DENY: "deny"}
"""Verbs that are never the requester's, whatever else the requester is."""

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


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who asks and who decides: ids in the installing team, from the settings."""

    team_id: str
    requesters: frozenset[str]
    approvers: frozenset[str]
    approvals_needed: int

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
        if EVERYBODY not in self.requesters and person.user_id not in self.requesters:
            raise Refusal(
                "You may not ask for applications."
                " Ask whoever runs this bot to add you to REQUESTERS."
            )
        if len(self.approvers - {person.user_id}) < self.approvals_needed:
            raise Refusal(
                "You are an approver yourself, and without you there are too few."
                " Ask whoever runs this bot to add another to APPROVERS."
            )

    def check(self, verb: Verb, person: Person, registration: Registration) -> None:
        """Raise Refusal unless the table lets this person do this now."""
        self.check_account(person)
        rule = RULES[verb]
        is_requester = person.key == registration.requester.key
        if verb in SELF and is_requester:
            raise Refusal(
                f"You cannot {SELF[verb]} your own registration. Another approver has to decide."
            )
        if not rule.roles & self.roles(person, registration):
            raise Refusal(rule.otherwise)
        if registration.status not in rule.states:
            raise Refusal(too_late(verb, registration))

    def roles(self, person: Person, registration: Registration) -> frozenset[Role]:
        """Return what the person is to this registration."""
        found = set()
        if person.key == registration.requester.key:
            found.add(Role.REQUESTER)
        if person.team_id == self.team_id and person.user_id in self.approvers:
            found.add(Role.APPROVER)
        return frozenset(found) or frozenset({Role.BYSTANDER})


def too_late(verb: Verb, registration: Registration) -> str:
    """Say why the registration's state does not allow the verb, and who decided if somebody did."""
    id, status = registration.id, registration.status
    if verb in (Verb.APPROVE, Verb.DENY, Verb.CANCEL) and registration.votes:
        last = registration.votes[-1]
        done = "approved" if last.verdict == "approve" else "denied"
        if status not in (Status.PENDING, Status.CANCELLED, Status.EXPIRED):
            return f"Too late: <@{last.person.user_id}> has {done} {id} already."
    match status:
        case Status.PLANNING:
            return f"{id} is still being checked. Its card will change by itself."
        case Status.PENDING:
            return f"{id} waits for approval."
        case Status.APPROVED:
            return f"{id} is being set up. Its card will change by itself."
        case Status.READY:
            return f"Too late: {id} is ready already."
        case Status.FAILED:
            return f"{id} has failed. Its card says why; *Retry* goes on where it stopped."
        case Status.REFUSED:
            return f"{id} was refused. Its card says why; ask again with `/aad-setup`."
        case Status.EXPIRED:
            return f"Too late: {id} has expired. Ask again with `/aad-setup`."
        case Status.DENIED | Status.CANCELLED | Status.UNDONE:
            return f"Too late: {id} was {status} already."
