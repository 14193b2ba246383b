"""Parse the text of a command, mention or direct message. No I/O."""

import html
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from bot.domain.people import Refusal
from handlers.views import help
from handlers.views.blocks import escaped
from handlers.views.ids import COMMAND

ENTITY = re.compile(r"<[^<>]*>")
"""A person, a channel, a link: docs.slack.dev/messaging/formatting-message-text. Typed angle
brackets arrive escaped."""
AROUND = "\"'“”‘’`´.,:;!?()[]{}<>*_~#@/\\…-–—"
ID = re.compile(r"AAD[-_ ]?([A-Z0-9]{4})")
BARE_ID = re.compile(r"[2-9A-HJKMNP-TV-Z]{4}")
"""Four letters of those that ids are made of."""

FORM = ""
PREVIEW = "preview"
HANDOVER = "handover"
WITH_ID = (
    "status",
    "details",
    "values",
    "check",
    "rotate",
    "retire",
    "cancel",
    "retry",
    "undo",
    "revoke",
    "purge",
    "history",
    HANDOVER,
)
LISTS = ("all", "mine", "waiting", "ready", "failed", "expiring")
PAGED = ("list", "history")
"""Words behind which a page may be named."""
HELP = ("help", "h")
"""The second remains of `-h`."""
PLACEHOLDER = "@person"
"""Stands for a person, a channel or a link that was named."""
DASHES = frozenset("\u2212\u02d7\u30fc")
"""Characters that look like a hyphen, beside the dashes of Unicode's own class."""
UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0\u2800") | {*map(chr, range(0xFE00, 0xFE10))}
"""Invisible characters, beside Unicode's own class of format characters."""
PUBLIC = "public"
MAY_BE_PUBLIC = ("status", "list")
LONGEST = 3000
"""Longer than any command; the rest is not read."""


GREETINGS = ("hi", "hello", "hey", "hallo", "hola")
GREETING = "greeting"

BY_BUTTON = ("approve", "deny", "confirm", "withdraw")
"""Verbs that have no word: approvers must have read the request that they decide on."""
ALSO_CALLED = {
    "secret": "values",
    "key": "values",
    "reveal": "values",
    "renew": "rotate",
    "delete": "revoke",
    "remove": "revoke",
    "transfer": "handover",
    "log": "history",
}
"""Synonyms of our words."""


class NotUnderstood(Refusal):
    """It is no word of ours. The text says which one is nearest, or which there are."""

    def __init__(self, word: str, near: str | None) -> None:
        super().__init__(help.unknown(word, near))


@dataclass(frozen=True, kw_only=True)
class Command:
    """A parsed command. `word` is FORM for the form, with its profile if one was named."""

    word: str
    id: str | None = None
    which: str | None = None  # which list
    page: int = 1
    profile: str | None = None
    is_public: bool = False


def parse(text: str, profiles: Collection[str]) -> Command:
    """Parse a text. Raises Refusal, with the nearest words that would do."""
    words = _words(text)
    is_public = len(words) > 1 and words[-1].lower() == PUBLIC
    if is_public:
        words.pop()
    command = _command(words, profiles)
    if is_public and command.word not in MAY_BE_PUBLIC:
        raise Refusal(
            f"Only `status` and `list` can be public. Leave out `{PUBLIC}`,"
            " and only you see the answer."
        )
    return replace(command, is_public=is_public)


def mentioned(text: str) -> str:
    """Return the first person, channel or link that a text names, as Slack writes it."""
    found = ENTITY.search(text[:LONGEST])
    return found[0] if found else ""


def _command(words: Sequence[str], profiles: Collection[str]) -> Command:
    if not words:
        return Command(word=FORM)
    word, rest = words[0].lower(), words[1:]
    known = {each.lower(): each for each in profiles}
    if word in WITH_ID:
        return _with_id(word, rest)
    if word == "list":
        page, which = _page(rest)
        return Command(word="list", which=_which(which), page=page)
    if word in HELP:
        return Command(word="help")
    if word in GREETINGS:
        return Command(word=GREETING)
    if word == PREVIEW:
        return _preview(rest, known)
    if word in known:
        return Command(word=FORM, profile=known[word])
    if found := _looks_like_an_id(words):
        return Command(word="status", id=found)
    if word in BY_BUTTON:
        raise Refusal(help.BY_BUTTON)
    near = ALSO_CALLED.get(word) or _nearest(word, [*help.SUBCOMMANDS, *profiles])
    raise NotUnderstood(words[0], near)


def _preview(rest: Sequence[str], known: Mapping[str, str]) -> Command:
    """Return the form, which has the preview."""
    if not rest or rest[0].lower() in known:
        return Command(word=FORM, profile=known[rest[0].lower()] if rest else None)
    near = _nearest(rest[0], list(known.values()))
    meant = f" Did you mean `{COMMAND} {PREVIEW} {near}`?" if near else ""
    raise Refusal(f"I don't know the profile “{escaped(rest[0][:60])}”.{meant}")


def _page(rest: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return which page is named by the last word, and the words before it."""
    if not rest or not re.fullmatch(r"[0-9]{1,4}", rest[-1]) or BARE_ID.fullmatch(rest[-1]):
        return 1, rest
    before = rest[:-2] if rest[-2:-1] == ["page"] else rest[:-1]
    return max(1, int(rest[-1])), before


def _with_id(word: str, rest: Sequence[str]) -> Command:
    page, rest = _page(rest) if word in PAGED else (1, rest)
    found = _ids(rest)
    if len(found) == 1:
        return Command(word=word, id=found[0], page=page)
    if not rest and word == "status":
        return Command(word="list", which="mine")
    if len(found) > 1 and word == "status":
        raise Refusal(
            f"Which one? For example: `{COMMAND} status {found[0]}`."
            f" `{COMMAND} status` alone lists yours."
        )
    if rest == [PLACEHOLDER] and word == "status":
        raise Refusal(
            f"I can't list another person's registrations. `{COMMAND} list all` lists all of them."
        )
    if rest and not found:
        raise Refusal(
            f"“{escaped(' '.join(rest)[:60])}” isn't a registration ID. IDs look like AAD-7K3F."
            f" `{COMMAND} status` lists yours."
        )
    raise Refusal(f"Which one? For example: `{COMMAND} {word} AAD-7K3F`.")


def _which(rest: Sequence[str]) -> str | None:
    if not rest:
        return None
    word = rest[0].lower()
    if word in LISTS and len(rest) == 1:
        return word
    if word in LISTS:
        raise Refusal(
            f"I don't know what “{escaped(' '.join(rest[1:])[:60])}” means there."
            f" `{COMMAND} list {word}` shows one list, `{COMMAND} list {word} 2` its second page."
        )
    near = get_close_matches(word, LISTS, n=1)
    meant = f" Did you mean `{COMMAND} list {near[0]}`?" if near else ""
    lists = ", ".join(f"`{each}`" for each in LISTS)
    raise Refusal(f"I don't know the list “{escaped(rest[0][:60])}”.{meant} There are {lists}.")


def _ids(words: Sequence[str]) -> list[str]:
    """Return the ids among these words: AAD-7K3F, aad 7k3f, or 7k3f alone."""
    found: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0).upper()
        if word == "AAD" and waiting:
            word = f"AAD {waiting.pop(0).upper()}"
        if match := ID.fullmatch(word):
            found.append(f"AAD-{match[1]}")
        elif BARE_ID.fullmatch(word):
            found.append(f"AAD-{word}")
    return found


def _looks_like_an_id(words: Sequence[str]) -> str | None:
    """Return the id if that is all there is. Four letters without a digit are a word."""
    found = _ids(words)
    is_plain = words[0].upper().startswith("AAD") or any(each.isdigit() for each in words[0])
    return found[0] if len(found) == 1 and is_plain else None


def _words(text: str) -> list[str]:
    words: list[str] = []
    end = 0
    for entity in ENTITY.finditer(text[:LONGEST]):
        words += _typed(text[end : entity.start()])
        # The first may be this bot itself, which was mentioned to be asked.
        words += [PLACEHOLDER] if words else []
        end = entity.end()
    words += _typed(text[end:LONGEST])
    if not words and "?" in text:
        return ["help"]
    # A line copied from the help begins with the command.
    return words[1:] if words[:1] == [COMMAND.strip(AROUND)] else words


def _typed(text: str) -> list[str]:
    """Return the words between two entities, without the invisible characters of a paste."""
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", html.unescape(text))))
    return [word for each in plain.split() if (word := each.strip(AROUND))]


def _plain(each: str) -> str:
    if unicodedata.category(each) == "Pd" or each in DASHES:
        return "-"
    if unicodedata.category(each) == "Cf" or each in UNSEEN:
        return ""
    return each


def _nearest(word: str, known: Sequence[str]) -> str | None:
    return next(iter(get_close_matches(word.lower(), known, n=1)), None)
