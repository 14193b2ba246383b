"""The policy: a person's roles in a registration by the settings, and whether a rule lets them."""

from dataclasses import dataclass, fields

from bot.approval.rules import (
    DECISIONS,
    NOT_FOR_OWN,
    PREVIOUS_REQUESTER,
    RULES,
    Role,
    Verb,
    decided,
    wrong_state,
)
from bot.domain.approval_requests import ApprovalRequest, Quorum
from bot.domain.people import CONTACT, GUEST, Person, Refusal
from bot.domain.registration import Registration
from bot.settings.env_reader import EVERYBODY
from bot.settings.settings import Settings

UNSAID = "Slack did not say who belongs to {}, so nothing was done. Try again in a moment."


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who asks and who decides: ids in the installing team, and the settings of the same names."""

    team_id: str
    requesters: frozenset[str]
    approvers: frozenset[str]
    approvals_needed: int
    requester_groups: frozenset[str] = frozenset()
    approver_groups: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    """The approvers and approver groups whom a request for them mentions, so that Slack notifies
    them."""
    open_limit: int = 3
    """How many registrations one person may have open at a time."""
    daily_limit: int = 20
    """How many registrations the team may begin in 24 hours."""
    person_daily_limit: int = 10
    """How many of them one person may begin, so that there are some left for the others."""
    contact: str = CONTACT
    """The person, team or channel that runs this bot, for users' questions."""

    @property
    def groups(self) -> frozenset[str]:
        """The user groups whose members have to be known."""
        return self.requester_groups | self.approver_groups

    def quorum(self, asked: Quorum) -> Quorum:
        """Return the quorum where a profile asks for this much."""
        return asked.at_least(Quorum(needed=self.approvals_needed))

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

    def check_reachable(
        self, verb: Verb, quorum: Quorum, registration: Registration, asker: Person
    ) -> None:
        """Raise Refusal if too few can confirm this person's request, who does not count."""
        if why := self.unreachable(quorum):
            raise Refusal(f"This takes {why}. Ask {self.contact} to add approvers to `APPROVERS`.")
        concerned = {registration.requester, *registration.previous_requesters, asker}
        others = self.approvers - {each.user_id for each in concerned}
        if not self.approver_groups and len(others) < quorum.needed:
            raise Refusal(
                f"This takes {quorum.needed} approvers who have not asked for it themselves, and"
                f" there are too few. Ask {self.contact} to add another to `APPROVERS`."
                if asker.key == registration.requester.key
                or Role.REQUESTER not in RULES[verb].roles
                else f"This takes {quorum.needed} approvers beside you, and there are too few."
                " Let the requester ask for it."
            )

    def check_account(self, person: Person) -> None:
        """Raise Refusal if there is any doubt about who this is."""
        if person.team_id != self.team_id:
            raise Refusal("You belong to another Slack team, so you can't use this bot.")
        if GUEST in person.doubts:
            raise Refusal("Guest accounts can't use this bot.")
        if person.doubts:
            raise Refusal(
                f"Slack says that your account {' and '.join(person.doubts)},"
                " so you can't use this bot."
            )

    def check_may_ask(self, person: Person) -> None:
        """Raise Refusal unless this person may ask for applications."""
        self.check_account(person)
        is_named = bool({EVERYBODY, person.user_id} & self.requesters)
        is_requester = is_named or bool(person.groups & self.requester_groups)
        if not is_requester and person.unread & self.requester_groups:
            raise Refusal(UNSAID.format("the groups of requesters"))
        if not is_requester:
            raise Refusal(
                "You can't request applications yet."
                f" Ask {self.contact} to add you to `REQUESTERS`."
            )
        others = self.approvers - {person.user_id}
        if not self.approver_groups and len(others) < self.approvals_needed:
            raise Refusal(
                "You are an approver yourself, and without you there are too few."
                f" Ask {self.contact} to add another to `APPROVERS`."
            )

    def may_ask(self, person: Person) -> bool:
        """Whether this person may ask for applications."""
        try:
            self.check_may_ask(person)
        except Refusal:
            return False
        return True

    def check(
        self, verb: Verb, person: Person, registration: Registration, request: str | None = None
    ) -> None:
        """Raise Refusal unless the table lets this person do this now: to the plan's request, if it
        is a decision and no other request is named.
        """
        self.check_account(person)
        rule, asked = RULES[verb], registration.request(request or registration.id)
        if verb in NOT_FOR_OWN and person.key == registration.requester.key:
            raise Refusal(NOT_FOR_OWN[verb])
        if verb in NOT_FOR_OWN and registration.was_requested_by(person):
            raise Refusal(PREVIOUS_REQUESTER)
        if not rule.roles & self.roles(person, registration, asked):
            if Role.APPROVER in rule.roles:
                self.check_groups_known(person)
            raise Refusal(rule.otherwise)
        if registration.status not in rule.states:
            raise Refusal(wrong_state(verb, registration))
        if verb in DECISIONS and asked not in registration.waiting_requests:
            newer = registration.waiting(asked.kind) if asked else None
            if request and (asked is None or newer is not None):
                raise Refusal(
                    f"This is an older request for {registration.id}: read the newest one."
                )
            voters = [vote.person for vote in registration.votes]
            raise Refusal(decided(verb, registration, asked), people=voters)

    def roles(
        self, person: Person, registration: Registration, asked: ApprovalRequest | None = None
    ) -> frozenset[Role]:
        """Return the person's roles in this registration, and in a request about it."""
        found = set()
        if person.key == registration.requester.key:
            found.add(Role.REQUESTER)
        is_theirs = asked is not None and person.key == asked.asked_by.key
        if is_theirs and not registration.was_requested_by(person):
            found.add(Role.ASKER)
        if self.is_approver(person):
            found.add(Role.APPROVER)
        return frozenset(found) or frozenset({Role.BYSTANDER})

    def is_approver(self, person: Person) -> bool:
        """Whether this person decides on the requests of others."""
        named = person.user_id in self.approvers or bool(person.groups & self.approver_groups)
        return person.team_id == self.team_id and named

    def check_groups_known(self, person: Person) -> None:
        """Raise Refusal if a group that Slack did not say could make this person an approver."""
        if person.unread & self.approver_groups:
            raise Refusal(UNSAID.format("the groups of approvers"))

    def lost_vote(self, person: Person) -> str | None:
        """Return why this person's approvals no longer count, if that is so.

        Raises Refusal where Slack did not say enough.
        """
        if person.doubts:
            return f"the account {' and '.join(person.doubts)}"
        if self.is_approver(person):
            return None
        self.check_groups_known(person)
        return "no approver any more"

    def parties(self, person: Person, quorum: Quorum) -> tuple[str, ...]:
        """Return the approver groups that this person speaks for, for a quorum of distinct ones.

        Raises Refusal where a group that Slack did not say could make a person count twice.
        """
        found = tuple(sorted(person.groups & self.approver_groups))
        if quorum.distinct_groups and not found:
            self.check_groups_known(person)
        return found


def policy_of(settings: Settings, team_id: str) -> Policy:
    """Return who may do what in a team, as the settings say."""
    said = {each.name: getattr(settings, each.name) for each in fields(Policy)[1:]}
    return Policy(team_id=team_id, **said)
