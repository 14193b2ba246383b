"""Whatever a form may hold can be drawn: a card that cannot be posted is a silent registration."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalogue import read_catalogue
from bot.forms import LONGEST_REASON, check_form
from bot.quorum import Quorum
from bot.registration import Failure, Form, Person, Registration, Status
from graph.preflight import LONGEST_NAME
from handlers.views import card, help
from handlers.views.words import LONGEST_TEXT, clipped

CATALOGUE = read_catalogue()
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def registration(form: Form, status: Status, warnings: list[str] | None = None) -> Registration:
    profile = CATALOGUE[form.profile]
    return Registration(
        id="AAD-7K3F",
        version=1,
        status=status,
        requester=Person(team_id="T1", user_id="U1", name="Rosa"),
        form=form,
        profile_digest=profile.digest,
        key="aad-setup-1-2",
        created_at=NOON,
        deadline=NOON,
        plan=plan(form, warnings or []),
        digest="d" * 64,
        reasons=("&" * 500,),
        failure=Failure(
            step="&" * 200, sentence="<" * 2000, advice=">" * 2000, request_id="&" * 99
        ),
        facts={"application": {"app_id": "1"}, "directory": {"users": 1, "groups": 1}},
    )


def plan(form: Form, warnings: list[str]) -> dict[str, object]:
    return {
        "registration": "AAD-7K3F",
        "key": "k",
        "installation": "i",
        "profile": form.profile,
        "profile_digest": "d",
        "tenant_id": "t",
        "tenant_name": "&" * 200,
        "domain": "example.com",
        "resource_id": "r",
        "name": form.name,
        "notes": "n",
        "tags": [],
        "redirect": form.redirect,
        "roles": [],
        "scopes": [],
        "secret_name": "s",
        "secret_days": 90,
        "secret_limited_by": "tenant",
        "consent_mode": "autonomous",
        "warnings": warnings,
    }


TEXTS = st.text(alphabet=st.sampled_from("&<>*`_~ab \n@#é"), min_size=1)


@given(
    name=TEXTS.map(lambda text: text[:LONGEST_NAME]) | st.just("&" * LONGEST_NAME),
    reason=TEXTS.map(lambda text: text[:LONGEST_REASON]) | st.just("&" * LONGEST_REASON),
    status=st.sampled_from(Status),
)
def test_every_form_that_is_taken_can_be_drawn_in_every_state(
    name: str, reason: str, status: Status
) -> None:
    form = Form(profile="mimecast", name=name, reason=reason, secret_days=90)
    profile = CATALOGUE["mimecast"]
    if check_form(form, profile):
        return
    drawn = registration(form, status)
    assert card.card(drawn, profile, quorum=Quorum(needed=1))
    assert card.progress(drawn, profile, quorum=Quorum(needed=1))
    assert card.status(drawn, profile, quorum=Quorum(needed=1))
    assert help.listing([drawn])


def test_a_hundred_warnings_of_any_length_can_be_drawn() -> None:
    form = Form(profile="mimecast", name="a", reason="b", secret_days=90)
    drawn = registration(form, Status.PENDING, ["&" * 4000] + ["w"] * 20)
    assert card.card(drawn, CATALOGUE["mimecast"], quorum=Quorum(needed=1))


@pytest.mark.parametrize("text", ["a" * 4000, "a " * 2000, "&amp;" * 900, "x\n" * 2000])
def test_a_text_is_cut_only_where_nothing_breaks(text: str) -> None:
    cut = clipped(text)
    assert len(cut) <= LONGEST_TEXT
    assert cut.endswith(" …")
    assert cut.count("&") == cut.count("&amp;")
