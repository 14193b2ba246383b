"""Dates in messages: each reader's own time, or the fallback."""

from datetime import UTC, datetime, timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace
from bot.playground.workspace.blocks import mrkdwn
from bot.playground.workspace.blocks.dates import reader
from bot.playground.workspace.wire import Json

AT = datetime(2026, 2, 3, 23, 5, 9, tzinfo=UTC)
STAMP = int(AT.timestamp())


def read(format: str, *, tz: str = "Europe/London", now: datetime = AT) -> str | None:
    return reader(tz, now)(str(STAMP), format)


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("{date_num}", "2026-02-03"),
        ("{date_slash}", "03/02/2026"),
        ("{date}", "February 3rd"),
        ("{date_short}", "Feb 3"),
        ("{date_long}", "Tuesday, February 3rd"),
        ("{date_long_full}", "February 3, 2026"),
        ("{date_pretty} at {time}", "today at 11:05 PM"),
        ("{date_short_pretty}", "today"),
        ("{date_long_pretty}", "today"),
        ("{day_divider_pretty}", "today"),
        ("by {time_secs}", "by 11:05:09 PM"),
        ("{ago}", "0 seconds ago"),
    ],
)
def test_every_token_is_known(format: str, shown: str) -> None:
    assert read(format) == shown


def test_far_dates_have_a_year_and_near_ones_a_word() -> None:
    assert read("{date}", now=AT + timedelta(days=400)) == "February 3rd, 2026"
    assert read("{date_pretty}", now=AT + timedelta(days=1)) == "yesterday"
    assert read("{date_pretty}", now=AT - timedelta(days=1)) == "tomorrow"
    assert read("{ago}", now=AT + timedelta(hours=3)) == "3 hours ago"
    assert read("{ago}", now=AT - timedelta(days=1)) == "in 1 day"


@pytest.mark.parametrize(
    ("day", "ordinal"), [(1, "1st"), (2, "2nd"), (11, "11th"), (13, "13th"), (22, "22nd")]
)
def test_days_are_counted_in_english(day: int, ordinal: str) -> None:
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    assert reader("UTC", at)(str(int(at.timestamp())), "{date}") == f"March {ordinal}"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"<!date^{STAMP}^{{time}}|later>", "11:05 PM"),
        (f"<!date^{STAMP}^{{time}}^https://a.org|later>", "11:05 PM"),
        ("<!date^tomorrow^{time}|later>", "later"),
        (f"<!date^{STAMP}.5^{{time}}|later>", "later"),
        (f"<!date^{STAMP}^{{hour}}|later>", "later"),
        (f"<!date^{STAMP}^at noon|later>", "later"),
        (f"<!date^{STAMP}|later>", "later"),
        (f"<!date^{STAMP}^{{time}}>", f"<!date^{STAMP}^{{time}}>"),
    ],
)
def test_what_cannot_be_read_falls_back(written: str, shown: str) -> None:
    assert mrkdwn.shown(written, str, reader("Europe/London", AT)) == shown


async def test_each_reads_in_their_own_zone(
    workspace: Workspace, client: AsyncWebClient, clock: MovableClock
) -> None:
    stamp = int(clock.now().timestamp())
    section: Json = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": f"<!date^{stamp}^{{time}}|soon>"},
    }
    channel = workspace.channels["general"].id
    await client.chat_postMessage(channel=channel, text="x", blocks=[section])
    [message] = workspace.messages("general")
    workspace.people["ben"].tz = "Asia/Kolkata"
    shown = {name: workspace.text_of(message, reader=name) for name in ("ada", "grace", "ben")}
    assert len(set(shown.values())) == 3
    assert workspace.text_of(message) == "soon"
