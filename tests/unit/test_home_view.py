"""What a Home shows, drawn from what was found: no more than its reader needs."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.domain.runs import Failure, RunKind
from bot.registrar.queries import PAGE, Part
from bot.storage.queries import Health, ListPage, Unshown
from handlers.views import ids
from handlers.views.home import home, read_page
from tests.support.factories import NOON, home_of, list_line, registration, secret
from tests.support.secret_lives import SecretLife

CATALOGUE = read_catalogue()
WELL = Health(
    open_runs=1, owed_messages=2, sealed_secrets=3, last_run_at=NOON, last_run_failed=None
)
ROTATE = f'"{ids.ROTATE}"'


def drawn(**found: Any) -> str:
    """Return the view as it goes to Slack."""
    view = home(home_of(**found), CATALOGUE, quorum_of=lambda _: Quorum(needed=1))
    return json.dumps(view, ensure_ascii=False)


def expiring(**changes: Any) -> str:
    return drawn(expiring=ListPage(lines=[list_line(**changes)], total=1))


@pytest.mark.parametrize(
    ("page", "buttons"), [(1, {"Next"}), (2, {"Previous", "Next"}), (3, {"Previous"})]
)
def test_pages_lead_to_those_there_are(page: int, buttons: set[str]) -> None:
    totals = {**dict.fromkeys(Part, 0), Part.HISTORY: 3 * PAGE[Part.HISTORY]}
    shown = drawn(pages={**dict.fromkeys(Part, 1), Part.HISTORY: page}, totals=totals)
    assert f"Page {page} of 3" in shown
    assert {word for word in ("Previous", "Next") if f'"{word}"' in shown} == buttons
    for word, to in (("Previous", page - 1), ("Next", page + 1)):
        assert (f'"history:{to}"' in shown) is (word in buttons)


def test_one_page_has_no_number() -> None:
    shown = drawn(totals={**dict.fromkeys(Part, 0), Part.HISTORY: PAGE[Part.HISTORY]})
    assert "Page " not in shown
    assert '"Next"' not in shown


def test_a_button_stands_for_a_page_that_there_may_be() -> None:
    assert read_page("mine:1234") == (Part.MINE, 1234)
    for value in (
        *("mine:12345", "mine:²", "mine:١", "mine:", "mine", "yours:1", "", None, "mine:-1"),
    ):
        with pytest.raises(Refusal, match="no such page"):
            read_page(value)


def test_nobody_is_shown_what_is_not_for_them() -> None:
    waiting = (replace(registration(Status.PENDING), plan=None),)
    shown = drawn(waiting=waiting)
    assert "Waiting for you" not in shown
    assert "How the bot stands" not in shown
    assert "New application" not in shown.replace("Press *New application*", "")
    shown = drawn(waiting=waiting, is_approver=True, may_ask=True, health=WELL)
    assert "Waiting for you" in shown
    assert "How the bot stands" in shown
    assert '"New application"' in shown


def test_a_rotation_is_offered_where_one_can_be_asked_for() -> None:
    assert ROTATE in expiring()
    assert ROTATE not in expiring(waits=RequestKind.ROTATION)
    assert "a rotation waits for approval" in expiring(waits=RequestKind.ROTATION)
    assert ROTATE not in expiring(run=RunKind.CHECK)


def test_names_give_no_orders() -> None:
    loud = "<!channel> & co"
    mine = registration()
    mine = replace(mine, form=replace(mine.form, name=loud))
    for shown in (drawn(mine=[mine]), expiring(name=loud)):
        assert "&lt;!channel&gt; &amp; co" in shown
        assert "<!channel>" not in shown


@pytest.mark.parametrize("state", [SecretLife.SEALED, SecretLife.CLAIMED, SecretLife.MASKED])
def test_values_wait_while_nobody_has_seen_them(state: SecretLife) -> None:
    shown = drawn(mine=[registration(secret=secret(state))])
    assert ("Its values wait for you" in shown) is (state is SecretLife.SEALED)
    assert "The secret expires" in shown


def test_a_secret_that_is_taken_back_does_not_expire() -> None:
    shown = drawn(mine=[registration(Status.REVOKED, secret=secret(SecretLife.MASKED))])
    assert "was revoked" in shown
    assert "The secret expires" not in shown


@pytest.mark.parametrize(
    ("status", "is_said"), [(Status.FAILED, True), (Status.REVOKING, True), (Status.READY, False)]
)
def test_why_it_does_not_go_on_is_said_where_it_does_not(status: Status, is_said: bool) -> None:
    failure = Failure(step="Make the secret", sentence="Entra refused.", advice="Wait.")
    shown = drawn(mine=[replace(registration(status), failure=failure)])
    assert ("Entra refused." in shown) is is_said


def test_how_the_bot_stands_is_said_as_it_is() -> None:
    assert "the latest run ended well" in drawn(health=WELL)
    failed = replace(WELL, last_run_failed="AADSTS7000215")
    assert "the latest run failed" in drawn(health=failed)
    assert "`AADSTS7000215`" in drawn(health=failed)
    assert "no run has ended yet" in drawn(health=replace(WELL, last_run_at=None))
    unshown = [Unshown(audience=id, code="is_archived") for id in ("U0ADA", "W0EVE", "C0APPROVE")]
    shown = drawn(health=replace(WELL, unshown=unshown))
    for where in ("<@U0ADA>", "<@W0EVE>", "<#C0APPROVE>"):
        assert f"Slack takes no messages for {where} (`is_archived`). Unarchive it" in shown
