"""Who may do what, and when: the whole table, and the words for everybody else."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, NamedTuple

import pytest

from bot.approval import RULES, Policy, Role, Verb
from bot.domain.approval_requests import Quorum, RequestKind, RequestState, Vote
from bot.domain.people import Person, Refusal
from bot.domain.registration import MOVES, Status, origins
from tests.support.approval_table import ALLOWED, NEVER_OWN, WAITS, A, N, R
from tests.support.factories import ADA, BEN, GRACE, NOON, ROSA, TEAM, asked, registration

POLICY = Policy(
    team_id=TEAM,
    requesters=frozenset({"U0ROSA"}),
    approvers=frozenset({"U0ADA", "U0GRACE"}),
    approvals_needed=1,
    approver_groups=frozenset({"S0ADMINS", "S0SECURITY"}),
    requester_groups=frozenset({"S0ASKERS"}),
)
EVE = Person(team_id=TEAM, user_id="U0EVE", name="Eve", groups=frozenset({"S0ADMINS"}))
GUEST = replace(BEN, doubts=("is a guest's",))
BOT = replace(BEN, doubts=("is a bot",))
EXTERNAL = replace(BEN, team_id="T0ELSE", doubts=("is from outside",))


class Somebody(NamedTuple):
    """A kind of person: who looks, who asked for the registration, and what roles that makes."""

    who: Person
    requester: Person
    roles: set[Role]  # none: nothing may be done at all


KINDS = {
    "requester": Somebody(ROSA, ROSA, {R}),
    "approver": Somebody(ADA, ROSA, {A}),
    "approver by group": Somebody(EVE, ROSA, {A}),
    "requester and approver": Somebody(ADA, ADA, {R, A}),
    "bystander": Somebody(BEN, ROSA, {N}),
    "guest": Somebody(GUEST, ROSA, set()),
    "external": Somebody(EXTERNAL, ROSA, set()),
    "bot": Somebody(BOT, ROSA, set()),
    "requester who left": Somebody(replace(ROSA, doubts=("is deactivated",)), ROSA, set()),
    "approver who left": Somebody(replace(ADA, doubts=("is deactivated",)), ROSA, set()),
}


def refusal(
    verb: Verb, person: Person, status: Status, *votes: Vote, requester: Person = ROSA
) -> str | None:
    """Return the words of the refusal, or None if the policy lets them."""
    try:
        POLICY.check(verb, person, registration(status, votes=votes, requester=requester))
    except Refusal as no:
        return str(no)
    return None


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len(Verb) * len(KINDS) * len(Status) >= 300


@pytest.mark.parametrize("verb", Verb)
def test_only_the_cells_of_the_table_are_allowed(verb: Verb) -> None:
    roles, states = ALLOWED[verb]
    for (kind, somebody), status in product(KINDS.items(), Status):
        is_own = somebody.who.key == somebody.requester.key
        may = roles & somebody.roles and status in states and not (is_own and verb in NEVER_OWN)
        said = refusal(verb, somebody.who, status, requester=somebody.requester)
        assert (said is None) is bool(may), (kind, status, said)
        assert said is None or said.endswith("."), (kind, status, said)


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.SEE])
def test_whoever_has_another_role_is_told_so_before_the_state_is(verb: Verb) -> None:
    assert refusal(verb, BEN, Status.DENIED) == RULES[verb].otherwise


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.DENY])
def test_nobody_decides_on_their_own_registration(verb: Verb) -> None:
    own = registration(Status.PENDING, requester=ADA)
    for person in (ADA, replace(ADA, name="Somebody Else")):  # a new name changes nothing
        with pytest.raises(Refusal, match=f"You cannot {verb} your own registration"):
            POLICY.check(verb, person, own)
    POLICY.check(verb, GRACE, own)
    POLICY.check(Verb.CANCEL, ADA, own)


def test_whoever_asked_for_a_rotation_may_cancel_that_and_nothing_else() -> None:
    """Even if it was as an approver, and they are none any more."""
    ready = replace(registration(), requests=(asked(asked_by=BEN),))
    POLICY.check(Verb.CANCEL, BEN, ready, "r1")
    POLICY.check(Verb.CANCEL, ROSA, ready, "r1")
    with pytest.raises(Refusal, match="Only the requester or the person who asked"):
        POLICY.check(Verb.CANCEL, ADA, ready, "r1")
    for verb in set(Verb) - {Verb.CANCEL, Verb.SEE}:
        with pytest.raises(Refusal):
            POLICY.check(verb, BEN, ready, "r1")


def test_whoever_asked_and_has_handed_it_over_since_cancels_nothing() -> None:
    theirs = replace(registration(), requests=(asked(asked_by=BEN),), previous_requesters=(BEN,))
    with pytest.raises(Refusal, match="Only the requester or the person who asked"):
        POLICY.check(Verb.CANCEL, BEN, theirs, "r1")


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", RequestKind)
def test_a_request_is_decided_only_where_its_kind_can_wait(
    kind: RequestKind, status: Status
) -> None:
    found = replace(registration(status), requests=(asked(kind, asked_by=GRACE),))
    for verb, person in ((Verb.APPROVE, ADA), (Verb.DENY, ADA), (Verb.CANCEL, ROSA)):
        if status in WAITS[kind]:
            POLICY.check(verb, person, found, "r1")
            for state in set(RequestState) - {RequestState.WAITING}:
                ended = replace(found, requests=(asked(kind, state=state),))
                with pytest.raises(Refusal):
                    POLICY.check(verb, person, ended, "r1")
        else:
            with pytest.raises(Refusal):
                POLICY.check(verb, person, found, "r1")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        *(
            ({"doubts": (doubt,)}, f"Slack says that your account {doubt}")
            for doubt in ("is deactivated", "is a bot", "is from outside")
        ),
        # The same user id in another team is another person.
        ({"team_id": "T0ELSE"}, "You belong to another Slack team"),
    ],
)
@pytest.mark.parametrize("verb", Verb)
def test_an_account_in_doubt_may_do_nothing(
    verb: Verb, changes: dict[str, Any], sentence: str
) -> None:
    for person in (ROSA, ADA, BEN):
        told = refusal(verb, replace(person, **changes), Status.PENDING)
        assert told == f"{sentence}, so you can't use this bot."


def test_an_empty_list_of_requesters_lets_nobody_ask() -> None:
    nobody = replace(POLICY, requesters=frozenset())
    for person in (ROSA, ADA, BEN):
        with pytest.raises(Refusal, match="You can't request applications yet"):
            nobody.check_may_ask(person)


def test_a_star_lets_every_full_member_ask_and_no_guest() -> None:
    everybody = replace(POLICY, requesters=frozenset({"*"}))
    everybody.check_may_ask(BEN)
    with pytest.raises(Refusal, match="Guest accounts"):
        everybody.check_may_ask(replace(BEN, doubts=("is a guest's",)))


def test_a_star_does_not_make_approvers() -> None:
    policy = replace(POLICY, requesters=frozenset({"*"}), approvers=frozenset())
    with pytest.raises(Refusal, match="Only an approver"):
        policy.check(Verb.APPROVE, BEN, registration(Status.PENDING))


@pytest.mark.parametrize(
    ("verdict", "status", "sentence"),
    [
        ("approve", Status.APPROVED, "<@U0GRACE> already approved AAD-7K3F."),
        ("deny", Status.DENIED, "<@U0GRACE> already denied AAD-7K3F."),
        # Half a quorum does not pass for a decision.
        ("approve", Status.EXPIRED, "AAD-7K3F has expired. Ask again with `/aad-setup`."),
    ],
)
def test_whoever_comes_too_late_learns_who_decided(
    verdict: str, status: Status, sentence: str
) -> None:
    vote = Vote(person=GRACE, verdict=verdict, at=NOON)
    assert refusal(Verb.APPROVE, ADA, status, vote) == sentence


@pytest.mark.parametrize(
    ("verb", "status", "sentence"),
    [
        (Verb.APPROVE, Status.PLANNING, "AAD-7K3F is still being checked."),
        (Verb.APPROVE, Status.CANCELLED, "AAD-7K3F was cancelled, so there is nothing to approve."),
        (Verb.DENY, Status.EXPIRED, "AAD-7K3F has expired."),
        (Verb.REVEAL, Status.PENDING, "AAD-7K3F waits for approval. Its card will"),
        (Verb.REVEAL, Status.APPROVED, "AAD-7K3F is being set up."),
        (Verb.RETRY, Status.READY, "AAD-7K3F is already set up."),
        (Verb.RETRY, Status.UNDONE, "AAD-7K3F was undone, so there is nothing to"),
        (Verb.REVEAL, Status.FAILED, "AAD-7K3F has failed"),
        (Verb.REVEAL, Status.REVOKING, "AAD-7K3F is being revoked. Its card says when"),
        (Verb.VALUES, Status.REVOKED, "AAD-7K3F was revoked, so there is nothing to show."),
        (Verb.UNDO, Status.READY, "AAD-7K3F is already set up. `/aad-setup revoke"),
        (Verb.UNDO, Status.PENDING, "AAD-7K3F waits for approval."),
        (Verb.REVOKE, Status.FAILED, "AAD-7K3F has failed"),
        (Verb.PURGE, Status.READY, "Revoke AAD-7K3F first"),
        (Verb.PURGE, Status.FAILED, "Undo AAD-7K3F first"),
        (Verb.PURGE, Status.REVOKING, "AAD-7K3F is being revoked."),
        (Verb.PURGE, Status.DENIED, "AAD-7K3F was denied, so there is nothing to"),
        (Verb.VALUES, Status.REFUSED, "AAD-7K3F was refused"),
    ],
)
def test_each_state_has_words_for_whoever_comes_at_the_wrong_time(
    verb: Verb, status: Status, sentence: str
) -> None:
    person = ROSA if R in ALLOWED[verb][0] else ADA
    assert (refusal(verb, person, status) or "").startswith(sentence)


@pytest.mark.parametrize(
    ("verb", "status", "hint"),
    [
        (Verb.UNDO, Status.PENDING, "Its requester can cancel it, and an approver can deny it."),
        (Verb.REVOKE, Status.PENDING, "Its requester can cancel it, and an approver can deny it."),
        (Verb.CANCEL, Status.FAILED, "`/aad-setup undo AAD-7K3F` removes what it has made."),
        (Verb.REVOKE, Status.FAILED, "`/aad-setup undo AAD-7K3F` removes what it has made."),
        (
            Verb.CANCEL,
            Status.READY,
            "`/aad-setup revoke AAD-7K3F` deletes it from Entra, if it is no longer needed.",
        ),
        (Verb.CANCEL, Status.CANCELLED, "so there is nothing to cancel."),
    ],
)
def test_whoever_wants_it_gone_learns_what_takes_it_back(
    verb: Verb, status: Status, hint: str
) -> None:
    approved = Vote(person=GRACE, verdict="approve", at=NOON)
    assert (refusal(verb, ROSA, status, approved) or "").endswith(hint)


def test_who_decided_is_told_by_the_verdict_and_not_by_the_clock() -> None:
    """The clock of the replica on which it was denied was behind the other one's."""
    votes = [
        Vote(person=GRACE, verdict="deny", at=NOON),
        Vote(person=EVE, verdict="approve", at=NOON + timedelta(seconds=1)),
    ]
    sentence = refusal(Verb.APPROVE, ADA, Status.DENIED, *votes)
    assert sentence == "<@U0GRACE> already denied AAD-7K3F."


@pytest.mark.parametrize("verb", sorted(NEVER_OWN))
def test_whoever_handed_it_over_does_not_decide_on_it_either(verb: Verb) -> None:
    status = Status.PENDING if Status.PENDING in ALLOWED[verb][1] else Status.READY
    given_away = replace(registration(status, requester=BEN), previous_requesters=(ADA,))
    with pytest.raises(Refusal, match="You asked for this before it was handed over"):
        POLICY.check(verb, ADA, given_away)
    POLICY.check(verb, GRACE, given_away)


def test_a_group_that_cannot_be_read_makes_nobody_a_party_of_their_own() -> None:
    """Ada is named, and perhaps in the very group that has approved already."""
    unsaid = replace(ADA, unread=frozenset({"S0ADMINS"}))
    assert POLICY.parties(unsaid, Quorum(needed=2)) == ()
    with pytest.raises(Refusal, match="Slack did not say who belongs to the groups of approvers"):
        POLICY.parties(unsaid, Quorum(needed=2, distinct_groups=True))
    both = replace(unsaid, groups=frozenset({"S0SECURITY"}))
    assert POLICY.parties(both, Quorum(needed=2, distinct_groups=True)) == ("S0SECURITY",)


def test_every_state_can_be_reached_and_every_end_is_one() -> None:
    reached = {Status.PLANNING}
    while more := {target for status in reached for target in MOVES.get(status, ())} - reached:
        reached |= more
    assert reached == set(Status)
    ends = {status for status in Status if status.is_end}
    assert ends == {
        *(Status.REFUSED, Status.DENIED, Status.CANCELLED, Status.EXPIRED, Status.UNDONE),
        Status.REVOKED,
    }


def test_origins_are_the_moves_read_backwards() -> None:
    for target in Status:
        assert origins(target) == {status for status in Status if target in MOVES.get(status, ())}
    assert origins(Status.PLANNING) == {Status.FAILED}


def test_a_group_that_cannot_be_read_is_empty_and_its_members_are_told_to_try_again() -> None:
    unknown = replace(BEN, unread=frozenset({"S0ADMINS"}))
    sentence = refusal(Verb.APPROVE, unknown, Status.PENDING)
    assert sentence is not None
    assert sentence.startswith("Slack did not say who belongs to the groups of approvers")
    assert refusal(Verb.CANCEL, unknown, Status.PENDING) == RULES[Verb.CANCEL].otherwise
    with pytest.raises(Refusal, match="did not say who belongs to the groups of requesters"):
        POLICY.check_may_ask(replace(BEN, unread=frozenset({"S0ASKERS"})))


def test_members_of_a_requester_group_may_ask_and_of_another_may_not() -> None:
    POLICY.check_may_ask(replace(BEN, groups=frozenset({"S0ASKERS"})))
    with pytest.raises(Refusal, match="You can't request"):
        POLICY.check_may_ask(EVE)


def test_somebody_named_as_approver_decides_although_no_group_can_be_read() -> None:
    assert refusal(Verb.APPROVE, replace(ADA, unread=POLICY.groups), Status.PENDING) is None


@pytest.mark.parametrize(
    ("settings", "quorum", "why"),
    [
        ({}, Quorum(needed=3), None),  # who is in a group can change
        ({}, Quorum(needed=3, distinct_groups=True), None),  # two groups, and those by name
        ({}, Quorum(needed=4, distinct_groups=True), "4 approvers of distinct groups; there are 3"),
        ({"approver_groups": frozenset()}, Quorum(needed=2), None),
        ({"approver_groups": frozenset()}, Quorum(needed=3), "3 approvers; APPROVERS lists 2"),
        (
            {"approver_groups": frozenset()},
            Quorum(needed=2, distinct_groups=True),
            "2 approvers of distinct groups; APPROVER_GROUPS is empty",
        ),
    ],
)
def test_a_quorum_that_nobody_can_reach_is_known_before(
    settings: dict[str, Any], quorum: Quorum, why: str | None
) -> None:
    found = replace(POLICY, **settings).unreachable(quorum)
    assert (found or "").startswith(why or "")
    assert (found is None) is (why is None)


def test_a_profile_can_ask_for_more_approvals_and_never_for_fewer() -> None:
    strict = replace(POLICY, approvals_needed=2)
    assert strict.quorum(Quorum(needed=1)).needed == 2
    assert strict.quorum(Quorum(needed=3)).needed == 3


@pytest.mark.parametrize(
    ("groups", "missing"),
    [
        ([], 2),
        ([("a",)], 1),
        ([("a",), ("a",)], 1),
        ([("a",), ("b",)], 0),
        ([("a", "b"), ("a",)], 0),  # somebody in both speaks for the one that is still missing
        ([("a", "b"), ("a", "b")], 0),
        ([("a",), ("a",), ("a", "b")], 0),
        ([(), ()], 1),  # those named one by one are one party
        ([(), ("a",)], 0),
    ],
)
def test_distinct_groups_are_counted_as_helps_most(
    groups: list[tuple[str, ...]], missing: int
) -> None:
    votes = [Vote(person=ADA, verdict="approve", at=NOON, groups=each) for each in groups]
    assert Quorum(needed=2, distinct_groups=True).missing(votes) == missing


def test_an_approver_without_whom_there_are_too_few_cannot_ask() -> None:
    """It would wait for somebody who may not decide on it."""
    few = replace(POLICY, requesters=frozenset({"*"}), approver_groups=frozenset())
    few.check_may_ask(ADA)
    with pytest.raises(Refusal, match="You are an approver yourself, and without you there are"):
        replace(few, approvals_needed=2).check_may_ask(ADA)
    replace(few, approvals_needed=2).check_may_ask(BEN)
    replace(POLICY, requesters=frozenset({"*"}), approvals_needed=3).check_may_ask(ADA)
