"""Arguments of the command line become the form that Slack would have sent, or sentences."""

from typing import Any

import pytest

from bot.cli.planning import form_of
from bot.domain.catalogue import Profile, read_catalogue
from bot.domain.registration import Form
from bot.problems import Unusable

CATALOGUE = read_catalogue()


def read(**changes: Any) -> tuple[Form, Profile]:
    usual: dict[str, Any] = {
        "profile": "mimecast",
        "name": "billing",
        "reason": "To sync",
        "secret_days": "",
        "redirect": "",
        "options": (),
    }
    return form_of(CATALOGUE, **{**usual, **changes})


def problems(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(Unusable) as caught:
        read(**changes)
    return caught.value.problems


def test_what_is_left_out_is_what_the_form_begins_with() -> None:
    form, profile = read(reason="")
    assert profile is CATALOGUE["mimecast"]
    assert (form.secret_days, form.redirect, form.options) == (profile.secret_days, None, {})
    assert form.reason == "(to be given in Slack)"


def test_options_are_read_as_the_profile_means_them() -> None:
    form, _ = read(options=["acknowledge_disabled=YES", "domains=a.example, B.example"])
    assert form.options == {"acknowledge_disabled": True, "domains": ["a.example", "b.example"]}
    again, _ = read(options=["domains=a.example", "domains=@b.example"])
    assert again.options == {"domains": ["a.example", "b.example"]}
    assert read(options=["acknowledge_disabled=no"])[0].options == {"acknowledge_disabled": False}


@pytest.mark.parametrize("text", ["never", "Never", "none", "0"])
def test_never_is_understood_and_left_to_the_form_to_refuse(text: str) -> None:
    assert read(secret_days=text)[0].secret_days == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"profile": ""}, "--profile must be one of mimecast, directory-read."),
        ({"profile": "other"}, "--profile must be one of mimecast, directory-read."),
        ({"name": ""}, "--name is missing"),
        ({"secret_days": "-1"}, "--secret-days must be a whole number of days."),
        ({"secret_days": "²"}, "--secret-days must be a whole number of days."),
        ({"secret_days": "9" * 5000}, "--secret-days must be a whole number of days."),
        ({"options": ["domains"]}, "--option domains: write one of acknowledge_disabled=yes,"),
        ({"options": ["other=1"]}, "--option other: write one of acknowledge_disabled=yes,"),
        ({"options": ["acknowledge_disabled=maybe"]}, "must be acknowledge_disabled=yes or"),
        (
            {"profile": "directory-read", "options": ["domains=a.example"]},
            "--option domains: the profile directory-read has no options.",
        ),
    ],
)
def test_each_problem_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    [found] = problems(**changes)
    assert sentence in found
    assert found.endswith(".")


def test_all_problems_come_at_once() -> None:
    assert len(problems(profile="", name="", secret_days="soon")) == 3
