"""The report of a check: names come from the tenant, so they are anybody's text."""

from dataclasses import replace
from typing import Any

from bot.domain.registration import Check
from handlers.views import drift
from handlers.views.blocks import drawn
from tests.support.factories import NOON, registration


def report(**found: Any) -> str:
    checked = replace(registration(), check=Check(at=NOON, **found))
    return str(drift.report(checked))


def test_names_from_the_tenant_are_shown_and_obeyed_in_nothing() -> None:
    told = report(differences=("The application was renamed to “<!channel>\n*hi* `x`”.",))
    assert "renamed to “&lt;!channel&gt; ∗hi∗ 'x'”." in told


def test_a_report_that_is_too_long_says_how_much_is_left_out() -> None:
    told = report(differences=tuple(f"{n} " + "word " * 200 for n in range(40)))
    assert "differs from the plan in 40 things" in told
    assert "and 28 more" in told


def test_the_longest_names_do_not_keep_the_message_from_being_posted() -> None:
    assert "differs from the plan in 12 things" in report(differences=("&" * 300,) * 12)


def test_what_was_tolerated_or_unseen_is_told_although_nothing_differs() -> None:
    told = report(tolerated=("openid",), unseen=("The owners: refused.",))
    assert "is as it was approved, as far as the bot could look" in told
    assert "could not look at" in told
    assert "openid" in told


def test_a_registration_that_was_never_checked_says_nothing_of_it() -> None:
    assert drawn([*drift.line(registration()), *drift.details(registration())]) == []
