"""Whatever a form may hold can be drawn: a card that cannot be posted is a silent registration."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approval_requests import Quorum
from bot.domain.catalogue import read_catalogue
from bot.domain.forms import LONGEST_REASON, check_form
from bot.domain.registration import Form, Registration, Status
from bot.domain.runs import Failure
from bot.planning.plans import ALMIGHTY
from bot.registrar.deliveries import Drawing
from bot.registrar.queries import Home, Part
from bot.storage.queries import Health
from graph.permissions import Kind, lookup
from graph.plan import LONGEST_NAME
from graph.rights import ConsentMode
from handlers.views import card, home
from handlers.views.plan import NEVER_APPROVED, details
from handlers.views.ui import LONGEST_TEXT, clipped, escaped, short
from tests.support.factories import NOON, form, home_of, registration
from tests.support.graph_fakes import plan

CATALOGUE = read_catalogue()
ONE = Quorum(needed=1)
FORM = form(name="a", reason="b", secret_days=90)
MIMECAST = Drawing(profile=CATALOGUE["mimecast"], quorum=ONE)


def drawable(filled: Form, status: Status, warnings: tuple[str, ...] = ()) -> Registration:
    """Return a registration with everything about it that may be long."""
    planned = plan(name=filled.name, tenant_name="&" * 200, roles=(), warnings=warnings)
    return replace(
        registration(status),
        form=filled,
        deadline=NOON,
        plan=planned.to_json(),
        digest="d" * 64,
        requests=(),
        reasons=("&" * 500,),
        failure=Failure(
            step="&" * 200, sentence="<" * 2000, advice=">" * 2000, request_id="&" * 99
        ),
        facts={"application": {"app_id": "1"}, "directory": {"users": 1, "groups": 1}},
    )


def seen(drawn: Registration) -> Home:
    """Return the Home of an approver to whom this is everything, several times over."""
    return home_of(
        may_ask=True,
        is_approver=True,
        pages=dict.fromkeys(Part, 2),
        mine=[drawn] * 4,
        waiting=[drawn] * 3,
        totals=dict.fromkeys(Part, 1000),
        health=Health(
            open_runs=1, owed_messages=1, sealed_secrets=1, last_run_at=NOON, last_run_failed="&"
        ),
    )


TEXTS = st.text(alphabet=st.sampled_from("&<>*`_~ab \n@#é"), min_size=1)


@given(
    name=TEXTS.map(lambda text: text[:LONGEST_NAME]) | st.just("&" * LONGEST_NAME),
    reason=TEXTS.map(lambda text: text[:LONGEST_REASON]) | st.just("&" * LONGEST_REASON),
    status=st.sampled_from(Status),
)
def test_every_form_that_is_taken_can_be_drawn_in_every_state(
    name: str, reason: str, status: Status
) -> None:
    filled = replace(FORM, name=name, reason=reason)
    if check_form(filled, MIMECAST.profile):
        return
    drawn = drawable(filled, status)
    assert all(card.card(drawn, MIMECAST))
    assert all(card.progress(drawn, MIMECAST))
    assert all(card.status(drawn, replace(MIMECAST, plain=True), in_full=True))
    assert details(drawn, CATALOGUE)
    assert home.home(seen(drawn), CATALOGUE, quorum_of=lambda _: ONE)


def test_the_fullest_home_fits_into_a_hundred_blocks() -> None:
    filled = replace(FORM, name="&" * 120, reason="&" * 500)
    full = seen(drawable(filled, Status.PENDING, ("w",) * 20))
    blocks = home.home(full, CATALOGUE, quorum_of=lambda _: ONE, said="said")["blocks"]
    assert len(blocks) < home.MOST_BLOCKS
    assert "How the bot stands" in str(blocks)


def test_a_hundred_warnings_of_any_length_can_be_drawn() -> None:
    drawn = drawable(FORM, Status.PENDING, ("&" * 4000, *("w",) * 20))
    assert all(card.card(drawn, MIMECAST))


@pytest.mark.parametrize("status", Status)
def test_once_it_is_decided_what_came_of_it_stands_instead_of_the_plan(status: Status) -> None:
    drawn = drawable(FORM, status, ("Continue only if your console asks for a Key.",))
    shown = str(card.card(drawn, MIMECAST))
    whole = str(details(drawn, CATALOGUE))
    is_open = status in (Status.PLANNING, Status.PENDING)
    for words in ("Continue only if", "*Consent for the whole tenant*", "Redirect URL"):
        assert (words in shown) is is_open
    waits = status in (Status.PLANNING, Status.APPROVED)  # for an outage to pass
    for outcome in (":hourglass_flowing_sand:" if waits else ":x:", "plan `dddd"):
        assert shown.index(outcome) < shown.index("'Details'")
    for words in ("Continue only if", "once the plan is approved"):
        assert (words in whole) is is_open


@pytest.mark.parametrize("status", Status)
def test_behind_details_is_the_whole_plan(status: Status) -> None:
    whole = str(details(drawable(FORM, status), CATALOGUE))
    title = "What was approved"
    if status in (Status.PLANNING, Status.PENDING):
        title = "What would be created"
    elif status in NEVER_APPROVED:
        title = "What would have been created"
    assert f"*{title}* in" in whole
    for words in ("What it could do", "*The requester receives* Description", "d" * 64, ">b"):
        assert words in whole


@pytest.mark.parametrize("mode", ConsentMode)
def test_nothing_that_has_to_be_read_before_an_approval_is_behind_details(
    mode: ConsentMode,
) -> None:
    planned = plan(
        roles=tuple(lookup(it, Kind.ROLE) for it in ("Directory.Read.All", "User.Read.All")),
        scopes=(lookup("User.Read.All", Kind.SCOPE),),
        redirect="https://vendor.example/back",
        warnings=("Long. " + "x" * 400, "Short."),
        consent_mode=str(mode),
    )
    drawn = replace(drawable(FORM, Status.PENDING), plan=planned.to_json(), failure=None)
    text, blocks = card.card(drawn, MIMECAST)
    before = str(blocks).partition("'actions'")[0]
    for words in (
        *(":red_circle: `Directory.Read.All` (application): reads the whole directory",),
        *(":large_yellow_circle: `User.Read.All` (application)", ":white_circle: `User.Read.All`"),
        *("https://vendor.example/back", "90 days, as the requester asked", "in this directory"),
        *(":warning: Long. *Details* has the rest.", ":warning: Short.", "Contoso"),
    ):
        assert words in before
    assert (ALMIGHTY in before) is (mode is ConsentMode.AUTONOMOUS)
    decided = str(card.card(replace(drawn, status=Status.READY), MIMECAST))
    assert ("consent mode autonomous" in decided) is (mode is ConsentMode.AUTONOMOUS)
    assert "Directory.Read.All (application)" in text


def test_nobody_s_text_turns_ours_around_or_hides_in_it() -> None:
    """Names in the tenant come from there as they are."""
    assert escaped("a\u202eb\u2066c\x1b\u200bd\u2028e") == "a b c  d e"
    assert escaped("one\n\ttwo \u0645\u06cc\u200c\u062e") == "one\n\ttwo \u0645\u06cc\u200c\u062e"


@pytest.mark.parametrize("text", ["a" * 4000, "a " * 2000, "&amp;" * 900, "x\n" * 2000])
def test_a_text_is_cut_only_where_nothing_breaks(text: str) -> None:
    cut = clipped(text)
    assert len(cut) <= LONGEST_TEXT
    assert cut.endswith(" …") or re.search(r"\n… and \d+ more lines$", cut)
    assert cut.count("&") == cut.count("&amp;")


@pytest.mark.parametrize("longest", [0, 1, 7, 90])
@pytest.mark.parametrize("text", ["a" * 400, "a & b " * 40, "<" * 80, "_a:b:_ " * 30, " " * 99])
def test_a_short_text_is_as_long_as_it_may_be_when_it_is_escaped(text: str, longest: int) -> None:
    kept, mark = short(text, longest)[:-1], short(text, longest)[-1]
    assert mark == "…"
    fitting = [end for end in range(len(text)) if len(escaped(text[:end])) < longest]
    assert kept == escaped(text[: max(fitting, default=0)].rstrip())
