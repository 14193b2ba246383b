"""Dates that each reader sees in their own time: `<!date^1392734382^{date} at {time}|18 Feb>`.

docs.slack.dev/messaging/formatting-message-text#date-formatting. The fallback is shown when the
rest cannot be: a timestamp that is no number, a word in braces that Slack does not know.
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


def nobody(timestamp: str, format: str) -> None:
    """Nobody in particular reads: the fallback will do."""


def reader(tz: str, now: datetime) -> When:
    """Return how somebody in this time zone sees dates now."""
    zone = ZoneInfo(tz)

    def when(timestamp: str, format: str) -> str | None:
        if not re.fullmatch(r"-?\d{1,11}", timestamp):
            return None
        at = datetime.fromtimestamp(int(timestamp), zone)
        tokens = _tokens(at, now.astimezone(zone))
        wanted = TOKEN.findall(format)
        if not wanted or not set(wanted) <= set(tokens):
            return None
        return TOKEN.sub(lambda found: tokens[found[1]](), format)

    return when


def _tokens(at: datetime, now: datetime) -> dict[str, Callable[[], str]]:
    year = "" if abs(at - now) < HALF_A_YEAR else f", {at.year}"
    date = f"{at:%B} {_ordinal(at.day)}{year}"
    short = f"{at:%b} {at.day}{year}"
    long = f"{at:%A}, {date}"
    near = _near(at, now)
    return {
        "ago": lambda: _ago(at, now),
        "date": lambda: date,
        "date_long": lambda: long,
        "date_long_full": lambda: f"{at:%B} {at.day}, {at.year}",
        "date_long_pretty": lambda: near or long,
        "date_num": lambda: f"{at:%Y-%m-%d}",
        "date_pretty": lambda: near or date,
        "date_short": lambda: short,
        "date_short_pretty": lambda: near or short,
        "date_slash": lambda: f"{at:%d/%m/%Y}",
        "day_divider_pretty": lambda: near or long,
        "time": lambda: f"{at:%I:%M %p}".lstrip("0"),
        "time_secs": lambda: f"{at:%I:%M:%S %p}".lstrip("0"),
    }


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _near(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    return {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days, "")


def _ago(at: datetime, now: datetime) -> str:
    seconds = int((now - at).total_seconds())
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if (number := abs(seconds) // length) or name == "second":
            words = f"{number} {name}{'' if number == 1 else 's'}"
            return f"{words} ago" if seconds >= 0 else f"in {words}"
    raise AssertionError("seconds are the last resort")
