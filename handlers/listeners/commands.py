"""Commands, mentions and direct messages: how their text is read, and where the answer goes; and
the App Home that is opened.

A command is answered in the ack, which works where the bot is not a member. A mention is answered
in a thread that the whole channel reads: the shortest view only. Longer views go to the user alone,
and only the command changes anything. A direct message is answered like the command, except that
only a button can open a form.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from bot.domain.people import Refusal
from bot.storage.queries import ListKind
from handlers.listeners.command import Command, Mention, Parsed, Takes, joined
from handlers.listeners.command_table import COMMANDS, FORM, reply
from handlers.listeners.interaction import Interaction
from handlers.views import home
from handlers.views.ids import COMMAND
from handlers.views.ui import Json, context, drawn, escaped

WHY = "Only you can see this."
ENTITY = re.compile(r"<[^<>]*>")
"""A person, a channel, a link: docs.slack.dev/messaging/formatting-message-text. Typed angle
brackets arrive escaped."""
AROUND = "\"'“”‘’`´.,:;!?()[]{}<>*_~#@/\\…-–—"
ID = re.compile(r"AAD[-_ ]?([A-Z0-9]{4})")
BARE_ID = re.compile(r"[2-9A-HJKMNP-TV-Z]{4}")
"""Four letters of those that ids are made of."""
PLACEHOLDER = "@person"
"""Stands for a person, a channel or a link that was named."""
DASHES = frozenset("\u2212\u02d7\u30fc")
"""Characters that look like a hyphen, beside the dashes of Unicode's own class."""
UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0\u2800") | {*map(chr, range(0xFE00, 0xFE10))}
"""Invisible characters, beside Unicode's own class of format characters."""
LONGEST = 3000
"""Longer than any command; the rest is not read."""

PUBLIC = "public"
LISTS = tuple(str(each) for each in ListKind if each is not ListKind.OPEN)
WORDS = {word: each for each in COMMANDS.values() for word in (each.word, *each.aliases)}
SYNONYMS = {other: each.word for each in COMMANDS.values() for other in each.synonyms}
SHOWN = [each.word for each in COMMANDS.values() if each.word and not each.is_hidden]
"""Suggested for a misspelt word."""
BY_BUTTON = ("approve", "deny", "confirm", "withdraw")
"""Verbs that have no word: approvers must have read the request that they decide on."""
RESERVED = frozenset({*WORDS, *SYNONYMS, *BY_BUTTON, PUBLIC})
"""No profile may have such a name."""


async def command(it: Interaction) -> Json | None:
    """Answer with an ephemeral message, unless the last word is `public`."""
    parsed = _read(it, it.body.get("text"))
    text, blocks = await reply(it, parsed)
    if not text:  # the form was opened
        return None
    return {
        "text": text,
        "blocks": blocks,
        "response_type": "in_channel" if parsed.is_public else "ephemeral",
        "unfurl_links": False,
        "unfurl_media": False,
    }


async def mention(it: Interaction) -> None:
    """Answer `@bot status AAD-7K3F`."""
    event = it.body["event"]
    if not await _is_news(it):
        return
    try:
        parsed = _read(it, event.get("text"))
    except NotUnderstood as not_understood:
        await it.post(event, str(not_understood), thread=event.get("ts"))
        return
    match COMMANDS[parsed.word].mention:
        case Mention.WHISPERED:
            text, blocks = await reply(it, parsed)
            await it.post_ephemeral(event, f"{text}\n{WHY}", [*blocks, *drawn([context(WHY)])])
        case Mention.IN_THREAD:
            text, _ = await reply(it, replace(parsed, is_public=True))
            await it.post(event, text, thread=event.get("ts"))
        case Mention.REFUSED:
            await it.post(event, _by_command(parsed), thread=event.get("ts"))


async def direct_message(it: Interaction) -> None:
    """Answer the words of the command, without the command."""
    event = it.body["event"]
    if event.get("channel_type") != "im" or not await _is_news(it):
        return
    parsed = _read(it, event.get("text"))
    text, blocks = await reply(it, parsed)
    if COMMANDS[parsed.word].is_fleeting:
        await it.post_ephemeral(event, text, blocks)
    else:
        await it.post(event, text, blocks)


async def home_opened(it: Interaction) -> None:
    """Publish the Home of the user who opens it; the first visit is greeted."""
    event = it.body["event"]
    if event.get("tab") == "home":  # the same event tells of the Messages tab
        said = "" if event.get("view") else home.GREETING
        await it.home_publisher.open(it.body, it.person.user_id, said=said)


def _read(it: Interaction, text: object) -> Parsed:
    """Parse a text of a user who may use the bot. Raises Refusal."""
    it.registrar.policy.check_account(it.person)  # before any hint on usage
    return parse(str(text or ""), it.registrar.catalogue)


async def _is_news(it: Interaction) -> bool:
    """Whether this event is handled for the first time: Slack repeats events."""
    return await it.registrar.deliveries.is_news(str(it.body.get("event_id")))


def _by_command(parsed: Parsed) -> str:
    """Say which command does what a mention does not."""
    to = "@person" if Takes.PERSON in COMMANDS[parsed.word].takes else None
    words = " ".join(filter(None, [COMMAND, parsed.word, parsed.id or parsed.profile, to]))
    what = "I open the form" if parsed.word == FORM else "I do that"
    return f"In channels I only show status. Type `{words}` and {what} for you."


EVENTS = {
    "app_mention": mention,
    "message": direct_message,
    "app_home_opened": home_opened,
}


class NotUnderstood(Refusal):
    """An unknown word. The text suggests the nearest known word, if there is any."""

    def __init__(self, word: str, near: str | None) -> None:
        meant = f" Did you mean `{COMMAND} {near}`?" if near else ""
        super().__init__(
            f"I don't know “{escaped(word[:60])}”.{meant} `{COMMAND} help` lists all commands."
        )


def parse(text: str, profiles: Collection[str]) -> Parsed:
    """Parse a text. Raises Refusal, with the nearest words that would do."""
    words = _words(text)
    is_public = len(words) > 1 and words[-1].lower() == PUBLIC
    parsed = _parsed(words[:-1] if is_public else words, profiles)
    command = COMMANDS[parsed.word]
    if is_public and not command.may_be_public:
        public = joined(each.word for each in COMMANDS.values() if each.may_be_public)
        raise Refusal(
            f"Only {public} can be public. Leave out `{PUBLIC}`, and only you see the answer."
        )
    named = ENTITY.search(text[:LONGEST]) if Takes.PERSON in command.takes else None
    return replace(parsed, is_public=is_public, person=named[0] if named else "")


def _parsed(words: Sequence[str], profiles: Collection[str]) -> Parsed:
    if not words:
        return Parsed(word=FORM)
    word, rest = words[0].lower(), words[1:]
    known = {each.lower(): each for each in profiles}
    if command := WORDS.get(word):
        return _with_arguments(command, rest, known)
    if word in known:
        return Parsed(word=FORM, profile=known[word])
    if found := _looks_like_an_id(words):
        return Parsed(word="status", id=found)
    if word in BY_BUTTON:
        raise Refusal(
            "Use the *Approve* and *Deny* buttons on the card, in the approval channel or in my"
            f" Home tab. `{COMMAND} list waiting` lists the requests that wait."
        )
    raise NotUnderstood(words[0], SYNONYMS.get(word) or _nearest(word, [*SHOWN, *profiles]))


def _with_arguments(command: Command, rest: Sequence[str], profiles: Mapping[str, str]) -> Parsed:
    page, others = _page(rest) if Takes.PAGE in command.takes else (1, rest)
    if Takes.PROFILE in command.takes:
        return _with_profile(command, rest, profiles)
    if Takes.LIST in command.takes:
        return Parsed(word=command.word, which=_which(others), page=page)
    if Takes.ID in command.takes:
        return _with_id(command, others, page)
    return Parsed(word=command.word)


def _with_profile(command: Command, rest: Sequence[str], profiles: Mapping[str, str]) -> Parsed:
    if not rest or rest[0].lower() in profiles:
        return Parsed(word=FORM, profile=profiles[rest[0].lower()] if rest else None)
    near = _nearest(rest[0], list(profiles.values()))
    meant = f" Did you mean `{COMMAND} {command.word} {near}`?" if near else ""
    raise Refusal(f"I don't know the profile “{escaped(rest[0][:60])}”.{meant}")


def _page(rest: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return which page is named by the last word, and the words before it."""
    if not rest or not re.fullmatch(r"[0-9]{1,4}", rest[-1]) or BARE_ID.fullmatch(rest[-1]):
        return 1, rest
    before = rest[:-2] if rest[-2:-1] == ["page"] else rest[:-1]
    return max(1, int(rest[-1])), before


def _with_id(command: Command, rest: Sequence[str], page: int) -> Parsed:
    word, alone, found = command.word, command.alone, _ids(rest)
    if len(found) == 1:
        return Parsed(word=word, id=found[0], page=page)
    if alone and not rest:
        return _parsed(alone.split(), ())
    if alone and found:
        raise Refusal(
            f"Which one? For example: `{COMMAND} {word} {found[0]}`."
            f" `{COMMAND} {word}` alone lists yours."
        )
    if alone and rest == [PLACEHOLDER]:
        raise Refusal(
            f"I can't list another person's registrations. `{COMMAND} list all` lists all of them."
        )
    if rest and not found:
        raise Refusal(
            f"“{escaped(' '.join(rest)[:60])}” isn't a registration ID. IDs look like AAD-7K3F."
            f" `{COMMAND} status` lists yours."
        )
    raise Refusal(f"Which one? For example: `{COMMAND} {word} AAD-7K3F`.")


def _which(rest: Sequence[str]) -> ListKind:
    if not rest:
        return ListKind.OPEN
    word = rest[0].lower()
    if word in LISTS and len(rest) == 1:
        return ListKind(word)
    if word in LISTS:
        raise Refusal(
            f"I don't know what “{escaped(' '.join(rest[1:])[:60])}” means there."
            f" `{COMMAND} list {word}` shows one list, `{COMMAND} list {word} 2` its second page."
        )
    near = _nearest(word, LISTS)
    meant = f" Did you mean `{COMMAND} list {near}`?" if near else ""
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
