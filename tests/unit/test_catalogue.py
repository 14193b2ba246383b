"""The catalogue: the shipped profiles are right, and a wrong one is refused with its mistake."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.doctor import refused_profiles
from bot.domain.catalogue import (
    CatalogueError,
    catalogue_in,
    fill,
    parse_profile,
    profile_in,
    read_catalogue,
)
from graph.clouds import CLOUDS
from handlers.listeners.commands import BY_BUTTON, PUBLIC, RESERVED, SHOWN, SYNONYMS

RIGHT = """
order = 9
title = "A connector"
summary = "Reads users."
roles = ["User.Read.All"]
scopes = []
warnings = []
next_steps = "Enter these values."
[redirect]
rule = "none"
[secret]
name = "Key"
default_days = 90
choices = [90, 180]
[[options]]
id = "domains"
kind = "domains"
label = "Domains"
hint = "Separate them with commas."
[[values]]
label = "Id"
value = "{client_id} for {domains}"
[[values]]
label = "Key"
value = "{secret}"
"""


def mistake(old: str, new: str) -> str:
    """Return what is said of the right profile once it has been changed."""
    assert old in RIGHT
    with pytest.raises(CatalogueError) as caught:
        parse_profile("mine", RIGHT.replace(old, new))
    assert str(caught.value).startswith("profile mine: ")
    return str(caught.value)


def test_the_shipped_profiles_are_right() -> None:
    catalogue = read_catalogue()
    assert set(catalogue) >= {"mimecast", "directory-read"}
    assert list(catalogue) == ["mimecast", "directory-read"]


def test_mimecast_asks_for_what_the_guide_asks_for_without_azure_ad_graph() -> None:
    mimecast = read_catalogue()["mimecast"]
    assert mimecast.roles == ("Directory.Read.All", "User.Read.All")
    assert mimecast.scopes == ("User.Read.All",)
    assert [str(each) for each in mimecast.legacy] == [
        "Directory.Read.All (application)",
        "User.Read.All (delegated)",
    ]
    assert "New Mimecast tenants use Mimecast's own application" in mimecast.warnings[0]
    assert [option.id for option in mimecast.options] == ["acknowledge_disabled", "domains"]
    assert mimecast.longest_secret_days == 730


def test_the_right_profile_is_taken() -> None:
    profile = parse_profile("mine", RIGHT)
    assert (profile.id, profile.title) == ("mine", "A connector")
    assert fill(profile.values[0], {"client_id": "1", "domains": "d"}) == "1 for d"
    assert [value.is_secret for value in profile.values] == [False, True]


def test_a_profile_says_in_which_clouds_it_cannot_be_used() -> None:
    table = '[refused_clouds]\nusgov = "Not in GCC High."\n[redirect]'
    profile = parse_profile("mine", RIGHT.replace("[redirect]", table))
    other = replace(profile, id="other", refused_clouds={})
    assert "Not in GCC High." in profile_in(CLOUDS["usgov"], profile).refusal
    assert not profile_in(CLOUDS["usgov-dod"], profile).refusal
    catalogue = {each.id: each for each in (profile, other)}
    assert list(catalogue_in(CLOUDS["usgov"], catalogue)) == ["other", "mine"]
    [finding] = refused_profiles(CLOUDS["usgov"], catalogue)
    assert "usgov" in finding.sentence
    assert finding.sentence.endswith(": mine.")
    assert not list(refused_profiles(CLOUDS["public"], catalogue))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[redirect]", "[refused_clouds]\nusgov = 1\n[redirect]", "usgov` must be a text"),
        ("[redirect]", '[refused_clouds]\ngov = "No."\n[redirect]', "`refused_clouds.usgov`?"),
        (
            "[redirect]",
            '[refused_clouds]\nusgov = " "\n[redirect]',
            "the vendor's reason why usgov",
        ),
        ('"User.Read.All"', '"User.ReadWrite.All"', "“User.ReadWrite.All” is not one this bot may"),
        ("scopes = []", 'scopes = ["Mail.Read"]', "delegated permission “Mail.Read” is not one"),
        ('rule = "none"', 'rule = "any"', "Unknown redirect rule 'any'."),
        ("default_days = 90", "default_days = 91", "The default life of the secret is not among"),
        ("[90, 180]", "[90, 3650]", "A secret may live 1 to 730 days."),
        ("[90, 180]", "[90, 0]", "A secret may live 1 to 730 days."),
        ("[90, 180]", '[90, "never"]', "Entra no longer makes secrets that never expire."),
        (
            "scopes = []",
            'scopes = []\nlegacy = ["Mail.Read"]',
            "“Mail.Read” is no permission of Azure",
        ),
        (
            '"User.Read.All"',
            '"5778995a-e1bf-45b8-affa-663a9f3f4d04"',
            "Azure AD Graph was retired in August 2025",
        ),
        ("[90, 180]", "[]", "The default life of the secret is not among"),
        ('"{secret}"', '"none"', "Exactly one value must be the secret, alone in its line."),
        ('"{secret}"', '"key: {secret}"', "Exactly one value must be the secret"),
        ("{client_id} for", "{client_id} {secret}", "Exactly one value must be the secret"),
        ("{client_id}", "{object_id}", "Unknown field 'object_id' in value 'Id'."),
        ("{client_id}", "{client_id.__class__}", "Unknown field 'client_id.__class__'"),
        ("{client_id}", "{", "The braces of a value are not right"),
        ('kind = "domains"', 'kind = "number"', "Unknown kind of option 'number'."),
        ('id = "domains"', 'id = "secret"', "Option 'secret' has the name of a field."),
        ('title = "A connector"', "", "`title` is missing."),
        ('title = "A connector"', "title = 5", "`title` must be a text in quotes."),
        ("order = 9", "order = true", "`order` must be a whole number."),
        (
            "order = 9",
            "order = 9\ntitel = 'x'",
            "`titel` is no key of a profile. Did you mean `title`",
        ),
        ('roles = ["User.Read.All"]', 'roles = "User.Read.All"', "`roles` must be a list."),
        ('roles = ["User.Read.All"]', "roles = [1]", "`roles, entry 1` must be a text in quotes."),
        ("warnings = []", "warnings = []\nsecret.rule = 1", "it is not TOML"),
        ('[redirect]\nrule = "none"', "", "`redirect` is missing."),
        ('rule = "none"', 'rule = "none"\nrules = 1', "`redirect.rules` is no key of a profile."),
        ('hint = "', 'advice = "', "`options, entry 1.hint` is missing."),
        ("[[values]]", "[values]", "it is not TOML"),
        (
            "[[values]]",
            '[[options]]\nid = "domains"\nkind = "flag"\nlabel = "x"\nhint = "y"\n[[values]]',
            "There are two options with the id 'domains'.",
        ),
        ("[redirect]", "[redirect", "it is not TOML"),
        ("[redirect]", "[approval]\nneeded = 0\n[redirect]", "1 to 10 approvals can be needed."),
        ("[redirect]", "[approval]\nneeded = true\n[redirect]", "must be a whole number."),
        ("[redirect]", "[approval]\nneed = 2\n[redirect]", "Did you mean `approval.needed`?"),
        ("[redirect]", '[approval]\ndistinct_groups = "no"\n[redirect]', "must be true or false."),
    ],
)
def test_each_mistake_is_named(old: str, new: str, words: str) -> None:
    assert words in mistake(old, new)


@pytest.mark.parametrize("name", ["List", "my profile", "über", "", "x" * 41])
def test_a_name_that_nobody_could_type_is_refused(name: str) -> None:
    with pytest.raises(CatalogueError, match="small letters, digits and hyphens"):
        parse_profile(name, RIGHT)


def test_no_profile_has_the_name_of_a_command_s_word() -> None:
    words = {*SHOWN, *SYNONYMS, *BY_BUTTON, PUBLIC}
    assert words <= RESERVED
    for word in words:
        with pytest.raises(CatalogueError, match="is a word of the command"):
            parse_profile(word, RIGHT, RESERVED)


def test_every_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "fine.toml").write_text(RIGHT)
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    (tmp_path / "short.toml").write_text("")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(tmp_path)
    named = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert sorted(named) == ["profile folder", "profile odd", "profile short"]


def test_every_mistake_is_told_of_at_once() -> None:
    words = mistake('roles = ["User.Read.All"]', 'roles = ["A.Write", "B.Write"]')
    assert "“A.Write”" in words
    assert "“B.Write”" in words


def test_the_digest_follows_the_meaning_and_not_the_layout() -> None:
    digest = parse_profile("mine", RIGHT).digest
    assert parse_profile("mine", f"# a comment\n{RIGHT}").digest == digest
    assert parse_profile("mine", RIGHT.replace("Reads users", "Reads all")).digest != digest


def test_every_text_of_the_shipped_profiles_fits_into_slack() -> None:
    for profile in read_catalogue().values():
        assert len(profile.title) <= 75
        assert all(len(option.label) <= 75 for option in profile.options)
        for text in (profile.summary, *(option.hint for option in profile.options)):
            assert len(text) <= 150
            assert re.match(r"[A-Z].*\.$", text)
