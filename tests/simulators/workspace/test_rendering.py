"""What a person would see, as text, with dates in each reader's own time."""

from datetime import UTC, datetime, timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace
from bot.playground.workspace.blocks import mrkdwn
from bot.playground.workspace.blocks.dates import reader
from bot.playground.workspace.blocks.render import text_of
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, modal, plain, section, text_input

NAMES = {"U1": "ada", "C1": "general", "S1": "admins"}


def name_of(id: str) -> str:
    return NAMES.get(id, id)


def marked(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def lines(*blocks: Json) -> list[str]:
    """Return the lines of a message as they are shown."""
    return text_of({"ts": "1.0", "text": "fallback", "blocks": list(blocks)}, name_of).splitlines()


def task(title: str, status: str) -> Json:
    return {"type": "task_card", "task_id": title, "title": title, "status": status}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* and _slanted_ and ~gone~", "bold and slanted and gone"),
        ("*_both_*", "both"),
        ("snake_case_name stays, 2*3*4 too", "snake_case_name stays, 2*3*4 too"),
        ("by <@U1> in <#C1>, <!here>", "by @ada in #general, @here"),
        ("<!subteam^S1>", "@admins"),
        ("<https://a.org|the page> or <https://b.org>", "the page or https://b.org"),
        ("<!date^1700000000^{date}|14 Nov>", "14 Nov"),
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("`*as is*` and ```\nx_y_z\n```", "*as is* and x_y_z"),
        (":white_check_mark: done :unheard_of:", "✅ done :unheard_of:"),
    ],
)
def test_marks_are_not_read_aloud(text: str, shown: str) -> None:
    assert mrkdwn.shown(text, name_of) == shown


def test_a_card_reads_well() -> None:
    shown = lines(
        {"type": "header", "text": plain("AAD-7K3F · payroll")},
        {
            "type": "section",
            "fields": [marked("*Asked by*\n<@U1>"), marked("*Profile:*\nMimecast")],
        },
        {"type": "divider"},
        {"type": "context", "elements": [marked("_digest_ `4f1c`")]},
        actions("Approve", "Deny"),
    )
    assert shown == [
        *("AAD-7K3F · payroll", "Asked by: @ada", "Profile: Mimecast", "────────", "digest 4f1c"),
        "[Approve]  [Deny]",
    ]


def test_a_plan_shows_how_far_it_is() -> None:
    tasks = [
        task("Register", "complete"),
        task("Consent", "in_progress"),
        task("Secret", "pending"),
        task("Test", "error"),
    ]
    assert lines({"type": "plan", "title": "Work", "tasks": tasks}) == [
        *("Work", "  ✔ Register", "  ● Consent", "  ○ Secret", "  ✖ Test")
    ]


def test_a_message_without_blocks_is_its_text() -> None:
    assert text_of({"ts": "1.0", "text": "*hi* <@U1>"}, name_of) == "hi @ada"


def test_a_form_shows_what_is_typed_and_what_is_not() -> None:
    view = modal(
        text_input("Name"),
        {
            **text_input("Why", placeholder=plain("a ticket")),
            "optional": True,
            "hint": plain("kept"),
        },
        section("read me"),
        close=plain("Cancel"),
    )
    view["state"] = {
        "values": {"name": {"typed": {"type": "plain_text_input", "value": "payroll"}}}
    }
    assert text_of(view, name_of).splitlines() == [
        *("Form", "────", "Name: payroll", "Why (optional): ____ (a ticket)", "  kept"),
        *("read me", "[Send]  [Cancel]"),
    ]


def test_what_is_preformatted_is_indented() -> None:
    words = [{"type": "text", "text": "a\nb"}]
    parts = [
        {"type": kind, "elements": words}
        for kind in ("rich_text_section", "rich_text_preformatted")
    ]
    assert lines({"type": "rich_text", "elements": parts}) == ["a", "b", "  a", "  b"]


AT = datetime(2026, 2, 3, 23, 5, 9, tzinfo=UTC)
STAMP = int(AT.timestamp())


@pytest.mark.parametrize(
    ("format", "later", "shown"),
    [
        ("{date_short}", 0, "Feb 3"),
        ("{date_short_pretty} at {time}", 0, "today at 11:05 PM"),
        ("{date_short}", 400, "Feb 3, 2026"),
        ("{date_short_pretty}", 1, "yesterday"),
        ("{date_short_pretty}", -1, "tomorrow"),
    ],
)
def test_far_dates_have_a_year_and_near_ones_a_word(format: str, later: int, shown: str) -> None:
    now = AT + timedelta(days=later)
    assert reader("Europe/London", now)(str(STAMP), format) == shown


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
    workspace: Workspace, client: Client, clock: MovableClock
) -> None:
    stamp = int(clock.now().timestamp())
    blocks = [section(f"<!date^{stamp}^{{time}}|soon>")]
    await client.chat_postMessage(channel="#general", text="x", blocks=blocks)
    [message] = workspace.messages("general")
    workspace.people["ben"].tz = "Asia/Kolkata"
    shown = {name: workspace.text_of(message, reader=name) for name in ("ada", "grace", "ben")}
    assert len(set(shown.values())) == 3
    assert workspace.text_of(message) == "soon"
