"""Forms: each field that is wrong gets one sentence, and nothing else is said."""

from typing import Any

import pytest

from bot.domain.catalogue import read_catalogue
from bot.domain.forms import FormProblems, as_read, check_form, split_domains
from tests.support.factories import form

CATALOGUE = read_catalogue()


def problems(**changes: Any) -> dict[str, str]:
    wish = form(**changes)
    return check_form(wish, CATALOGUE[wish.profile])


def test_a_right_form_has_no_problems() -> None:
    options = {"acknowledge_disabled": True, "domains": ["example.com"]}
    assert problems(redirect="https://example.com/cb", options=options) == {}


PILED = "The name piles up marks upon a letter: they would cover the line above."
UNSEEN = "The name holds a line break or an invisible character: type it again, as one line."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Give the application a name."),
        (" \t ", "Give the application a name."),
        ("n" * 300, "The name has 300 characters; 120 is the most."),
        ("two\nlines", UNSEEN),
        ("right\u202eleft", UNSEEN),
        ("\u3164", UNSEEN),
        ("billing\u2800", UNSEEN),
        ("\u200d\ufe0f", "Give the application a name."),
        ("billing" + "\u0336\u0353" * 4, PILED),
    ],
)
def test_a_name_is_one_short_printable_line(name: str, sentence: str) -> None:
    assert problems(name=name) == {"name": sentence}


@pytest.mark.parametrize(
    "name", ["n" * 120, "Büro – Sync & <Co> *'\"", "日本語", "Thu\u031b\u0323", "བསྒྲུབས"]
)
def test_any_printable_name_of_120_characters_will_do(name: str) -> None:
    assert problems(name=name) == {}


@pytest.mark.parametrize(
    "twin",
    ["BILLING  sync", "ｂｉｌｌｉｎｇ sync", "bil\u200dling sync", "billing\ufe0e\u00a0sync"],
)
def test_names_that_read_alike_are_equal(twin: str) -> None:
    assert as_read(twin) == as_read("billing sync")
    assert as_read("billing sink") != as_read("billing sync")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("  ", "Say what this is for: the approver decides by it."),
        ("r" * 501, "The reason has 501 characters; 500 is the most."),
        ("r" + "\u0489" * 40, PILED.replace("name", "reason")),
    ],
)
def test_a_reason_is_there_and_short(reason: str, sentence: str) -> None:
    assert problems(reason=reason) == {"reason": sentence}


@pytest.mark.parametrize("days", [0, -1, 1, 366, 36500])
def test_a_secret_lives_as_long_as_one_of_the_choices_and_never_for_ever(days: int) -> None:
    sentence = problems(secret_days=days)["secret_days"]
    assert sentence.startswith("Choose how long the secret lives: 90, 180, 365, 730 days.")
    assert sentence.endswith("Entra no longer makes secrets that never expire.")


@pytest.mark.parametrize(
    "redirect",
    [
        "http://example.com/cb",
        "http://localhost.example.com",
        "http://127.0.0.2",
        "http://[::1]/cb",
    ],
)
def test_http_redirects_are_for_localhost_only(redirect: str) -> None:
    sentence = "The redirect URL must start with https://; http:// is only for localhost."
    assert problems(redirect=redirect) == {"redirect": sentence}


@pytest.mark.parametrize(
    "redirect",
    ["example.com", "ftp://example.com", "https://", "javascript:alert", "https://e.com/#here"],
)
def test_a_redirect_is_an_absolute_address(redirect: str) -> None:
    assert set(problems(redirect=redirect)) == {"redirect"}


@pytest.mark.parametrize("redirect", [None, "", "https://e.com/cb", "http://localhost:8080/cb"])
def test_a_redirect_may_be_left_out_or_point_home(redirect: str | None) -> None:
    assert problems(redirect=redirect) == {}


@pytest.mark.parametrize(
    "domain",
    ["example", "exa mple.com", "-example.com", "example-.com", "a..b", "https://e.com", "e.c",
     "user@example.com", "*.example.com", "1.2.3.4", "x" * 64 + ".com", "é.com"],
)  # fmt: skip
def test_a_malformed_domain_is_named(domain: str) -> None:
    found = problems(options={"domains": ["example.com", domain]})
    assert list(found) == ["domains"]
    assert found["domains"].startswith(f"{domain!r} is not a domain.")


@pytest.mark.parametrize("domain", ["example.com", "a.b.example.co.uk", "xn--bcher-kva.example"])
def test_domains_of_every_usual_form_are_taken(domain: str) -> None:
    assert problems(options={"domains": [domain]}) == {}


def test_domains_are_split_as_people_type_them() -> None:
    typed = " Example.com, @other.org;third.net\nexample.com "
    assert split_domains(typed) == ["example.com", "other.org", "third.net"]
    assert split_domains(" , ;") == []


def test_every_wrong_field_is_told_of_at_once() -> None:
    found = problems(name="", reason="", secret_days=1, redirect="http://e.com")
    assert set(found) == {"name", "reason", "secret_days", "redirect"}
    assert str(FormProblems(found)) == " ".join(found.values())


def test_options_of_another_profile_do_not_count() -> None:
    wish = form(profile="directory-read", secret_days=180, options={"domains": ["nonsense"]})
    assert check_form(wish, CATALOGUE["directory-read"]) == {}
