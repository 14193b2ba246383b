"""Words: what people type is understood however they type it, or the nearest word is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.people import Refusal
from handlers.listeners.command import Parsed
from handlers.listeners.command_table import FORM
from handlers.listeners.commands import ID, LISTS, parse
from tests.support.command_story import WITH_ID

PROFILES = ("mimecast", "directory-read")
OF_ONE = ("values", "history", "check", "cancel", "retry", "undo", "revoke", "purge")


def refusal(text: str) -> str:
    with pytest.raises(Refusal) as refused:
        parse(text, PROFILES)
    return str(refused.value)


@pytest.mark.parametrize(
    "typed",
    [
        *("AAD-7K3F", "aad-7k3f", "7k3f", "7K3F.", "AAD 7K3F", "aad – 7k3f", "AAD–7K3F"),
        *("AAD_7K3F", "“AAD-7K3F”,", "(AAD-7K3F)?", "*AAD-7K3F*", "`aad-7k3f`", "#AAD-7K3F!"),
        *("<@U0ROSA|rosa> AAD-7K3F", "AAD-7K3F <#C0AAAA|AAD-2222>", "of AAD-7K3F please"),
        *("AAD\u22127K3F", "AAD\u20117K3F", "AAD\ufe637K3F", "AAD\u00ad-7K3F"),
        *("\u200bAAD-7K3F\ufeff", "AAD\u2060-\u200d7K3F\ufe0f", "ＡＡＤ－７Ｋ３Ｆ"),
        *("\u202aAAD-7K3F\u202c", "AAD\u00a07K3F"),
    ],
)
@pytest.mark.parametrize("word", ["status", "History", "UNDO:"])
def test_an_id_may_be_written_as_people_write_it(word: str, typed: str) -> None:
    expected = Parsed(word=word.lower().strip(":"), id="AAD-7K3F")
    assert parse(f"{word} {typed}", PROFILES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"word": FORM}),
        (" \t\n", {"word": FORM}),
        ("<@U0ROSA>", {"word": FORM}),
        ("mimecast", {"word": FORM, "profile": "mimecast"}),
        ("Directory-Read please", {"word": FORM, "profile": "directory-read"}),
        ("preview", {"word": FORM}),
        ("preview Mimecast", {"word": FORM, "profile": "mimecast"}),
        ("list", {"word": "list"}),
        ("list WAITING", {"word": "list", "which": "waiting"}),
        ("list public", {"word": "list", "is_public": True}),
        ("list failed Public", {"word": "list", "which": "failed", "is_public": True}),
        ("status", {"word": "list", "which": "mine"}),
        ("status public", {"word": "list", "which": "mine", "is_public": True}),
        ("status 7k3f public", {"word": "status", "id": "AAD-7K3F", "is_public": True}),
        ("AAD-7K3F", {"word": "status", "id": "AAD-7K3F"}),
        ("7k3f", {"word": "status", "id": "AAD-7K3F"}),
        ("help me", {"word": "help"}),
        ("-h", {"word": "help"}),
        ("--help", {"word": "help"}),
        ("?", {"word": "help"}),
        ("list all", {"word": "list", "which": "all"}),
        ("list ready 2", {"word": "list", "which": "ready", "page": 2}),
        ("list 3", {"word": "list", "page": 3}),
        ("list mine page 12", {"word": "list", "which": "mine", "page": 12}),
        ("list failed 2 public", {"word": "list", "which": "failed", "page": 2, "is_public": True}),
        ("history 7k3f 2", {"word": "history", "id": "AAD-7K3F", "page": 2}),
        ("history AAD-2222", {"word": "history", "id": "AAD-2222"}),
        ("history 2222", {"word": "history", "id": "AAD-2222"}),
        ("<@U0BOT> status", {"word": "list", "which": "mine"}),
        ("/aad-setup check AAD-7K3F", {"word": "check", "id": "AAD-7K3F"}),
    ],
)
def test_what_is_understood(text: str, expected: dict[str, Any]) -> None:
    assert parse(text, PROFILES) == Parsed(**expected)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("staus", "status"),
        ("lst", "list"),
        ("vlaues AAD-7K3F", "values"),
        ("retyr 7k3f", "retry"),
        ("revok AAD-7K3F", "revoke"),
        ("rewoke", "revoke"),
        ("prge 7k3f", "purge"),
        ("hisotry", "history"),
        ("mimcast", "mimecast"),
        ("directoryread", "directory-read"),
        ("MIMECST", "mimecast"),
        ("preveiw", "preview"),
        ("preview mimcast", "preview mimecast"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(text: str, meant: str) -> None:
    assert f"Did you mean `/aad-setup {meant}`?" in refusal(text)


def test_a_misspelt_list_is_answered_with_the_nearest() -> None:
    assert "Did you mean `/aad-setup list waiting`?" in refusal("list waitng")
    assert "There are `all`, `mine`, `waiting`, `ready`, `failed`, `expiring`." in (
        refusal("list everything")
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("status <@U0ROSA|rosa>", "I can't list another person's registrations."),
        ("<@U0BOT> status <@U0ROSA>", "I can't list another person's registrations."),
        ("list mine waiting", "I don't know what “waiting” means there."),
        ("list <@U0ROSA>", "I don't know the list “@person”."),
        ("list mine <@U0ROSA>", "I don't know what “@person” means there."),
    ],
)
def test_no_word_is_passed_over_in_silence(text: str, words: str) -> None:
    assert refusal(text).startswith(words)


def test_what_is_not_understood_is_answered_in_a_line() -> None:
    assert refusal("xyzzy there") == ("I don't know “xyzzy”. `/aad-setup help` lists all commands.")


@pytest.mark.parametrize("word", [*OF_ONE, "help"])
def test_only_the_least_is_ever_public(word: str) -> None:
    assert refusal(f"{word} AAD-7K3F public").startswith("Only `status` and `list` can be public.")


@pytest.mark.parametrize("word", OF_ONE)
def test_one_id_is_needed_and_one_only(word: str) -> None:
    one = f"Which one? For example: `/aad-setup {word} AAD-7K3F`."
    assert refusal(word) == one
    assert refusal(f"{word} AAD-7K3F AAD-2222") == one
    assert refusal(f"{word} everything").startswith("“everything” isn't a registration ID")


def test_nothing_that_is_echoed_is_obeyed() -> None:
    echoed = refusal("a&lt;!channel&gt;*bold*b")
    assert "a&lt;!channel&gt;∗bold∗b" in echoed


PIECES = (*WITH_ID, *LISTS, "list", "public", "AAD", "7K3F", "AAD-7K3F", "<@U1|x>", "&lt;", "help")
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(PIECES)).map(" ".join)


@given(TEXTS)
def test_every_text_is_understood_or_answered_with_a_sentence(text: str) -> None:
    found, sentence = understood(text)
    if found is None:
        assert sentence.strip()
    else:
        assert not found.id or ID.fullmatch(found.id)
        assert bool(found.id) == (found.word in WITH_ID)


def understood(text: str) -> tuple[Parsed | None, str]:
    try:
        return parse(text, PROFILES), ""
    except Refusal as refused:
        return None, str(refused)
