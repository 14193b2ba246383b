"""Slack's markup as a person reads it: no stars, no angle brackets, names in place of ids.

docs.slack.dev/messaging/formatting-message-text
"""

import html
import re
from collections.abc import Callable

from bot.playground.workspace.blocks.dates import When, unread

NameOf = Callable[[str], str]
"""Turns the id of a person, channel or group into the name that is shown."""

CODE = re.compile(r"```\n?(.*?)\n?```|`([^`\n]+)`", re.DOTALL)
REFERENCE = re.compile(r"<([^<>]+)>")
STYLED = re.compile(r"(?<![\w*~])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*~])")
EMOJI_NAME = re.compile(r":([a-z0-9_+-]+):")
EMOJI = {
    "arrows_counterclockwise": "🔄",
    "bell": "🔔",
    "black_circle": "⚫",
    "bust_in_silhouette": "👤",
    "calendar": "📅",
    "closed_lock_with_key": "🔐",
    "eyes": "👀",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ",
    "key": "🔑",
    "large_blue_circle": "🔵",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "lock": "🔒",
    "memo": "📝",
    "no_entry": "⛔",
    "no_entry_sign": "🚫",
    "red_circle": "🔴",
    "rotating_light": "🚨",
    "tada": "🎉",
    "wastebasket": "🗑",
    "warning": "⚠",
    "wave": "👋",
    "white_check_mark": "✅",
    "white_circle": "⚪",
    "x": "❌",
}


def plain(text: str) -> str:
    """Return a plain_text as shown: only emoji names turn into signs."""
    return EMOJI_NAME.sub(lambda found: EMOJI.get(found[1], found[0]), text)


def shown(text: str, name_of: NameOf, when: When = unread) -> str:
    """Return mrkdwn as shown. What stands in code is left as it is, but for the marks around it."""
    parts: list[str] = []
    end = 0
    for code in CODE.finditer(text):
        parts.append(_prose(text[end : code.start()], name_of, when))
        parts.append(_unescaped(code[1] or code[2] or ""))
        end = code.end()
    return "".join([*parts, _prose(text[end:], name_of, when)])


def _prose(text: str, name_of: NameOf, when: When) -> str:
    text = STYLED.sub(r"\2", STYLED.sub(r"\2", text))
    text = REFERENCE.sub(lambda found: _reference(found[1], name_of, when), text)
    return _unescaped(plain(text))


def _reference(inside: str, name_of: NameOf, when: When) -> str:
    target, _, label = inside.partition("|")
    match target[0]:
        case "@":
            return "@" + name_of(target[1:])
        case "#":
            return "#" + (label or name_of(target[1:]))
        case "!" if target.startswith("!subteam^"):
            return "@" + name_of(target.removeprefix("!subteam^"))
        case "!" if target.startswith("!date^"):
            return _date(target, label, when) or f"<{inside}>"
        case "!":
            return "@" + target[1:]
        case _:
            return label or target.removeprefix("mailto:")


def _date(target: str, fallback: str, when: When) -> str:
    """Return nothing without a fallback, which Slack requires: then one sees what was written."""
    _, timestamp, format, *_ = [*target.split("^"), "", ""]
    return (when(timestamp, format) or fallback) if fallback else ""


def _unescaped(text: str) -> str:
    return html.unescape(text)
