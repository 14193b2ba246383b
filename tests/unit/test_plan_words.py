"""What an approver must know stands in the plan's words, on the card and in a terminal alike."""

import json
from datetime import UTC, datetime

import pytest

from bot.domain.catalogue import read_catalogue
from bot.domain.registration import Form
from bot.planning.plans import ALMIGHTY, PLAIN_PEN, Pen, plan_paragraphs
from graph.permissions import Kind, lookup
from graph.plan import LimitedBy, Plan
from graph.rights import ConsentMode
from handlers.views.ui import SLACK_PEN
from tests.support.graph_fakes import plan

PENS = (PLAIN_PEN, SLACK_PEN)
MIMECAST = read_catalogue()["mimecast"]
ROLE, SCOPE = lookup("User.Read.All", Kind.ROLE), lookup("User.Read.All", Kind.SCOPE)
DIGEST_BEFORE = "fd5ced45da6885462a496868b782f9517c80b5e1537b9e3ebdea2d51c54ef0e5"
"""Of the tests' plan, at 0.2.0. A field that is added to `Plan` must leave it as it is: plans that
are stored lack the field, and their digests are approved.
"""
FORM = Form(profile="mimecast", name="billing", reason="To sync", secret_days=90)


def words(plan: Plan, pen: Pen, *, is_decided: bool = False) -> str:
    asked_at = datetime(2026, 11, 23, tzinfo=UTC)
    told = plan_paragraphs(plan, MIMECAST, FORM, pen, asked_at=asked_at, is_decided=is_decided)
    return "\n\n".join(told)


@pytest.mark.parametrize("pen", PENS, ids=["plain", "slack"])
def test_an_approver_reads_reach_consent_values_secret_and_warnings(pen: Pen) -> None:
    wanted = plan(roles=(ROLE,), scopes=(SCOPE,), warnings=("It is Monday.", "It rains."))
    told = words(wanted, pen)
    for permission, kind in ((ROLE, "application"), (SCOPE, "delegated")):
        assert f"{pen.code(permission.name)} ({kind}): {permission.meaning}" in told
    until = pen.day(datetime(2027, 2, 21, tzinfo=UTC))
    assert f"Secret “Mimecast Key” for 90 days, until about {until}" in told
    assert f"{pen.strong('The requester receives')} Description, Type, Application Id, Key" in told
    for warning in wanted.warnings:
        assert pen.warning(warning) in told
    for part in (wanted.name, wanted.tenant_name, wanted.domain, "Redirect URL: none"):
        assert part in told


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("requester", "(as the requester asked)"),
        ("profile", "(the profile allows no longer)"),
        ("tenant", "(the tenant's policy allows no longer)"),
    ],
)
def test_whose_word_the_secrets_end_is_stands_beside_it(by: LimitedBy, said: str) -> None:
    assert f"until about 2027-02-21 {said}" in words(plan(secret_limited_by=by), PLAIN_PEN)


@pytest.mark.parametrize(
    ("mode", "how"),
    [
        (ConsentMode.AUTONOMOUS, "is given by this bot, for the whole tenant"),
        (ConsentMode.LIMITED, "is given by this bot, limited by the tenant's policy “aad-setup”"),
        (ConsentMode.PORTAL, "in the Entra admin centre"),
        (ConsentMode.SIGNED_IN, "is given by the sign-in of"),
    ],
)
def test_how_consent_is_given_and_by_whom_it_can_be_is_said_in_each_mode(
    mode: ConsentMode, how: str
) -> None:
    graph_roles = words(plan(consent_mode=str(mode), roles=(ROLE,)), PLAIN_PEN)
    assert how in graph_roles
    assert "a Privileged Role Administrator, a Global Administrator" in graph_roles
    assert "Application Administrator" not in graph_roles
    scopes_only = words(plan(consent_mode=str(mode), roles=(), scopes=(SCOPE,)), PLAIN_PEN)
    assert "an Application Administrator, a Cloud Application Administrator" in scopes_only


@pytest.mark.parametrize("is_decided", [False, True])
@pytest.mark.parametrize("mode", ConsentMode)
def test_the_autonomous_mode_is_marked_and_no_other(mode: ConsentMode, is_decided: bool) -> None:
    told = words(plan(consent_mode=str(mode)), PLAIN_PEN, is_decided=is_decided)
    is_marked = PLAIN_PEN.warning(ALMIGHTY) in told
    assert is_marked is (mode is ConsentMode.AUTONOMOUS)


def test_a_plan_stored_before_is_read_as_it_was_with_the_digest_that_was_approved() -> None:
    stored = json.loads(json.dumps(plan().to_json()))
    assert Plan.from_json(stored).digest == DIGEST_BEFORE
