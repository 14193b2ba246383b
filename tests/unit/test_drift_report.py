"""The report of a check: names come from the tenant, so they are anybody's text."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.registration import Check
from handlers.views import drift, outcome
from tests.support.factories import NOON, registration, secret


def report(**found: Any) -> str:
    checked = replace(registration(), check=Check(at=NOON, **found))
    return str(drift.report(checked))


def test_names_from_the_tenant_are_shown_and_obeyed_in_nothing() -> None:
    told = report(differences=("The application was renamed to “<!channel>\n*hi* `x`”.",))
    assert "renamed to “&lt;!channel&gt; ∗hi∗ 'x'”." in told


def test_a_report_that_is_too_long_says_how_much_is_left_out() -> None:
    told = report(differences=tuple(f"{n} " + "word " * 200 for n in range(40)))
    assert "no longer matches what was approved: 40 differences" in told
    assert "and 28 more" in told


def test_the_longest_names_do_not_keep_the_message_from_being_posted() -> None:
    assert "no longer matches what was approved: 12 differences" in report(
        differences=("&" * 300,) * 12
    )


def test_what_was_tolerated_or_unseen_is_told_although_nothing_differs() -> None:
    told = report(tolerated=("openid",), unseen=("The owners: refused.",))
    assert "matches what was approved, as far as the bot could read it" in told
    assert "could not read" in told
    assert "openid" in told


def test_a_registration_that_was_never_checked_says_nothing_of_it() -> None:
    unchecked = registration()
    assert not [*outcome.latest_check(unchecked), *outcome.differences(unchecked)]


def test_a_secret_that_expired_is_nobody_s_act_to_look_up() -> None:
    expired = "The secret expired on 2026-11-22 (key id key-1)."
    found = replace(secret(), expires_at=NOON)
    ended = replace(registration(secret=found), looked_at=NOON + timedelta(days=1))
    for differences, is_asked in (((expired,), False), ((expired, "An owner was added."), True)):
        checked = replace(ended, check=Check(at=NOON, differences=differences))
        assert ("audit log" in str(drift.report(checked))) is is_asked
