"""Who may do what, and when: the whole table, and the words for everybody else."""

from dataclasses import replace

import pytest

from bot.approval import RULES, Policy, Role, Verb
from bot.registration import MOVES, Person, Refusal, Status, Vote, origins
from tests.pieces import ADA, BEN, GRACE, NOON, ROSA, TEAM, registration

POLICY = Policy(
    team_id=TEAM,
    requesters=frozenset({"U0ROSA"}),
    approvers=frozenset({"U0ADA", "U0GRACE"}),
    approvals_needed=1,
)
PEOPLE = {Role.REQUESTER: ROSA, Role.APPROVER: ADA, Role.BYSTANDER: BEN}

# Written out by hand, so that a slip in the code's table does not repeat itself here.
ALLOWED = {
    Verb.APPROVE: ({Role.APPROVER}, {Status.PENDING}),
    Verb.DENY: ({Role.APPROVER}, {Status.PENDING}),
    Verb.CANCEL: ({Role.REQUESTER}, {Status.PENDING}),
    Verb.RETRY: ({Role.REQUESTER, Role.APPROVER}, {Status.FAILED}),
    Verb.UNDO: ({Role.REQUESTER, Role.APPROVER}, {Status.FAILED}),
    Verb.VALUES: ({Role.REQUESTER}, {Status.READY}),
    Verb.REVEAL: ({Role.REQUESTER}, {Status.READY}),
    Verb.RENEW: ({Role.REQUESTER}, {Status.READY}),
    Verb.CHECK: ({Role.REQUESTER, Role.APPROVER}, {Status.READY}),
}
CELLS = [(verb, role, status) for verb in Verb for role in Role for status in Status]


def refusal(verb: Verb, person: Person, status: Status, *votes: Vote) -> str | None:
    """Return the words of the refusal, or None if the policy lets them."""
    try:
        POLICY.check(verb, person, registration(status, votes=votes))
    except Refusal as no:
        return str(no)
    return None


@pytest.mark.parametrize(("verb", "role", "status"), CELLS)
def test_only_the_cells_of_the_table_are_allowed(verb: Verb, role: Role, status: Status) -> None:
    roles, states = ALLOWED[verb]
    sentence = refusal(verb, PEOPLE[role], status)
    if role in roles and status in states:
        assert sentence is None
    else:
        assert sentence is not None
        assert sentence.endswith(".")


@pytest.mark.parametrize("verb", Verb)
def test_whoever_has_another_role_is_told_so_before_the_state_is(verb: Verb) -> None:
    assert refusal(verb, BEN, Status.DENIED) == RULES[verb].otherwise


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.DENY])
def test_nobody_decides_on_their_own_registration(verb: Verb) -> None:
    own = registration(Status.PENDING, requester=ADA)
    with pytest.raises(Refusal, match=f"You cannot {verb} your own registration"):
        POLICY.check(verb, ADA, own)
    POLICY.check(verb, GRACE, own)
    POLICY.check(Verb.CANCEL, ADA, own)


def test_a_new_name_does_not_make_the_requester_somebody_else() -> None:
    own = registration(Status.PENDING, requester=ADA)
    with pytest.raises(Refusal, match="your own"):
        POLICY.check(Verb.APPROVE, replace(ADA, name="Somebody Else"), own)


@pytest.mark.parametrize("doubt", ["is deactivated", "is a bot", "is a guest's", "is from outside"])
@pytest.mark.parametrize("verb", Verb)
def test_an_account_in_doubt_may_do_nothing(verb: Verb, doubt: str) -> None:
    for person in PEOPLE.values():
        sentence = refusal(verb, replace(person, doubts=(doubt,)), Status.PENDING)
        assert sentence == f"Slack says that your account {doubt}, so you cannot use this bot."


@pytest.mark.parametrize("verb", Verb)
def test_the_same_user_id_in_another_team_is_another_person(verb: Verb) -> None:
    for person in PEOPLE.values():
        sentence = refusal(verb, replace(person, team_id="T0ELSE"), Status.PENDING)
        assert sentence == "You belong to another Slack team, so you cannot use this bot."


def test_an_empty_list_of_requesters_lets_nobody_ask() -> None:
    nobody = replace(POLICY, requesters=frozenset())
    for person in (ROSA, ADA, BEN):
        with pytest.raises(Refusal, match="You may not ask for applications"):
            nobody.check_may_ask(person)


def test_a_star_lets_every_full_member_ask_and_no_guest() -> None:
    everybody = replace(POLICY, requesters=frozenset({"*"}))
    everybody.check_may_ask(BEN)
    with pytest.raises(Refusal, match="is a guest's"):
        everybody.check_may_ask(replace(BEN, doubts=("is a guest's",)))


def test_a_star_does_not_make_approvers() -> None:
    policy = replace(POLICY, requesters=frozenset({"*"}), approvers=frozenset())
    with pytest.raises(Refusal, match="Only an approver"):
        policy.check(Verb.APPROVE, BEN, registration(Status.PENDING))


@pytest.mark.parametrize(
    ("verdict", "status", "words"),
    [("approve", Status.APPROVED, "has approved"), ("deny", Status.DENIED, "has denied")],
)
def test_whoever_comes_too_late_learns_who_decided(
    verdict: str, status: Status, words: str
) -> None:
    vote = Vote(person=GRACE, verdict=verdict, at=NOON)
    sentence = refusal(Verb.APPROVE, ADA, status, vote)
    assert sentence == f"Too late: <@U0GRACE> {words} AAD-7K3F already."


@pytest.mark.parametrize(
    ("verb", "person", "status", "sentence"),
    [
        (Verb.APPROVE, ADA, Status.PLANNING, "AAD-7K3F is still being checked."),
        (Verb.APPROVE, ADA, Status.CANCELLED, "Too late: AAD-7K3F was cancelled already."),
        (Verb.DENY, ADA, Status.EXPIRED, "Too late: AAD-7K3F has expired."),
        (Verb.REVEAL, ROSA, Status.PENDING, "AAD-7K3F waits for approval."),
        (Verb.REVEAL, ROSA, Status.APPROVED, "AAD-7K3F is being set up."),
        (Verb.RETRY, ROSA, Status.READY, "Too late: AAD-7K3F is ready already."),
        (Verb.RETRY, ROSA, Status.UNDONE, "Too late: AAD-7K3F was undone already."),
        (Verb.REVEAL, ROSA, Status.FAILED, "AAD-7K3F has failed"),
        (Verb.VALUES, ROSA, Status.REFUSED, "AAD-7K3F was refused"),
    ],
)
def test_each_state_has_words_for_whoever_comes_at_the_wrong_time(
    verb: Verb, person: Person, status: Status, sentence: str
) -> None:
    assert (refusal(verb, person, status) or "").startswith(sentence)


def test_half_a_quorum_does_not_pass_for_a_decision() -> None:
    vote = Vote(person=GRACE, verdict="approve", at=NOON)
    sentence = refusal(Verb.APPROVE, ADA, Status.EXPIRED, vote)
    assert sentence == "Too late: AAD-7K3F has expired. Ask again with `/aad-setup`."


def test_every_state_can_be_reached_and_every_end_is_one() -> None:
    reached = {Status.PLANNING}
    while more := {target for status in reached for target in MOVES[status]} - reached:
        reached |= more
    assert reached == set(Status)
    ends = {status for status in Status if status.is_end}
    assert ends == {
        Status.REFUSED,
        Status.DENIED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.UNDONE,
        Status.READY,  # until it can be revoked
    }


def test_origins_are_the_moves_read_backwards() -> None:
    for target in Status:
        assert origins(target) == {status for status in Status if target in MOVES[status]}
    assert origins(Status.PLANNING) == {Status.FAILED}
