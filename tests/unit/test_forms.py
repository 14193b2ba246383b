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


def options(domain: str) -> dict[str, Any]:
    return {"acknowledge_disabled": True, "domains": [domain]}


NAMES = ("n" * 120, "Büro – Sync & <Co> *'\"", "日本語", "Thu\u031b\u0323", "བསྒྲུབས")
REDIRECTS = (None, "", "https://e.com/cb", "http://localhost:8080/cb")
DOMAINS = ("example.com", "a.b.example.co.uk", "xn--bcher-kva.example")


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect": "https://example.com/cb", "options": options("example.com")},
        *({"name": name} for name in NAMES),
        *({"redirect": redirect} for redirect in REDIRECTS),
        *({"options": options(domain)} for domain in DOMAINS),
    ],
    ids=str,
)
def test_a_right_form_has_no_problems(changes: dict[str, Any]) -> None:
    assert problems(**changes) == {}


PILED = "The name piles up marks upon a letter: they would cover the line above."
UNSEEN = "The name holds a line break or an invisible character: type it again, as one line."


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("name", "", "Give the application a name."),
        ("name", " \t ", "Give the application a name."),
        ("name", "n" * 300, "The name has 300 characters; 120 is the most."),
        ("name", "two\nlines", UNSEEN),
        ("name", "right\u202eleft", UNSEEN),
        ("name", "\u3164", UNSEEN),
        ("name", "billing\u2800", UNSEEN),
        ("name", "\u200d\ufe0f", "Give the application a name."),
        ("name", "billing" + "\u0336\u0353" * 4, PILED),
        ("reason", "  ", "Say what this is for: the approver decides by it."),
        ("reason", "r" * 501, "The reason has 501 characters; 500 is the most."),
        ("reason", "r" + "\u0489" * 40, PILED.replace("name", "reason")),
    ],
)
def test_a_name_is_one_short_printable_line_and_a_reason_is_there_and_short(
    field: str, text: str, sentence: str
) -> None:
    assert problems(**{field: text}) == {field: sentence}


@pytest.mark.parametrize(
    "twin",
    ["BILLING  sync", "ｂｉｌｌｉｎｇ sync", "bil\u200dling sync", "billing\ufe0e\u00a0sync"],
)
def test_names_that_read_alike_are_equal(twin: str) -> None:
    assert as_read(twin) == as_read("billing sync")
    assert as_read("billing sink") != as_read("billing sync")


@pytest.mark.parametrize("days", [0, -1, 1, 366, 36500])
def test_a_secret_lives_as_long_as_one_of_the_choices_and_never_for_ever(days: int) -> None:
    sentence = problems(secret_days=days)["secret_days"]
    assert sentence.startswith("Choose how long the secret lives: 90, 180, 365, 730 days.")
    assert sentence.endswith("Entra no longer makes secrets that never expire.")


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "127.0.0.2", "[::1]"])
def test_http_redirects_are_for_localhost_only(host: str) -> None:
    sentence = "The redirect URL must start with https://; http:// is only for localhost."
    assert problems(redirect=f"http://{host}/cb") == {"redirect": sentence}


@pytest.mark.parametrize(
    "redirect",
    ["example.com", "ftp://example.com", "https://", "javascript:alert", "https://e.com/#here"],
)
def test_a_redirect_is_an_absolute_address(redirect: str) -> None:
    assert set(problems(redirect=redirect)) == {"redirect"}


@pytest.mark.parametrize(
    "domain",
    ["example", "exa mple.com", "-example.com", "example-.com", "a..b", "https://e.com", "e.c",
     "user@example.com", "*.example.com", "1.2.3.4", "x" * 64 + ".com", "é.com"],
)  # fmt: skip
def test_a_malformed_domain_is_named(domain: str) -> None:
    found = problems(options={"domains": ["example.com", domain]})
    assert list(found) == ["domains"]
    assert found["domains"].startswith(f"{domain!r} is not a domain.")


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
