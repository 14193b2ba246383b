"""Dates that each reader sees in their own time: `<!date^1392734382^{date} at {time}|18 Feb>`.

docs.slack.dev/messaging/formatting-message-text#date-formatting. The fallback is shown when the
rest cannot be: a timestamp that is no number, a word in braces that is not known here.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

When = Callable[[str, str], str | None]
"""Turns a timestamp and a format into text, or into nothing if it cannot."""

TOKEN = re.compile(r"\{(\w+)\}")
HALF_A_YEAR = timedelta(days=182)
"""Nearer than this, Slack leaves out the year."""


def unread(timestamp: str, format: str) -> None:
    """Return None: without a reader the fallback will do."""


def reader(tz: str, now: datetime) -> When:
    """Return how a person in this time zone sees dates now."""
    zone = ZoneInfo(tz)

    def when(timestamp: str, format: str) -> str | None:
        if not re.fullmatch(r"-?\d{1,11}", timestamp):
            return None
        at = datetime.fromtimestamp(int(timestamp), zone)
        tokens = _tokens(at, now.astimezone(zone))
        wanted = TOKEN.findall(format)
        if not wanted or not set(wanted) <= set(tokens):
            return None
        return TOKEN.sub(lambda found: tokens[found[1]], format)

    return when


def _tokens(at: datetime, now: datetime) -> dict[str, str]:
    """Return the words that this workspace knows, which are those that the bot uses."""
    year = "" if abs(at - now) < HALF_A_YEAR else f", {at.year}"
    short = f"{at:%b} {at.day}{year}"
    return {
        "date_short": short,
        "date_short_pretty": _near(at, now) or short,
        "time": f"{at:%I:%M %p}".lstrip("0"),
    }


def _near(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    return {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days, "")
