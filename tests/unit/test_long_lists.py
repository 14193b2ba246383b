"""Lists and histories that are too long for a message: whole rows, whole times, what matters."""

import re

import pytest

from bot.domain.approval_requests import RequestKind
from bot.playground.gallery.registrations import entry
from bot.storage.history import HistoryPage
from bot.storage.queries import ListKind, ListPage
from handlers.views import history, listing
from handlers.views.ui import LONGEST_TEXT, clipped, escaped, when
from tests.support.factories import ADA, NOON, ROSA, list_line

TIME = re.compile(r"<!date\^\d+\^[^|>]*\|[^|>]*>")


def are_whole(text: str) -> bool:
    """Whether no time, name or escape of a text is cut."""
    rest = re.sub(r"<@\w+>", "", TIME.sub("", text))
    return not re.search(r"[<>]|&(?!(amp|lt|gt);)", rest)


@pytest.mark.parametrize("which", ListKind)
@pytest.mark.parametrize("name", ["&" * 120, "<&>" * 40, "name " * 24, "short"])
def test_every_row_of_a_page_is_there_and_whole(which: ListKind, name: str) -> None:
    rotation = RequestKind.ROTATION
    lines = [list_line(id=f"AAD-22{n:02}", name=name, waits=rotation) for n in range(10)]
    shown = listing.listing(which, ListPage(lines=lines, total=14))
    assert len(shown) <= LONGEST_TEXT
    for each in lines:
        (row,) = [row for row in shown.splitlines() if each.id in row]
        assert TIME.search(row)
    assert "and 4 more: " in shown
    assert are_whole(shown)
    assert (escaped(name) in shown) == (len(escaped(name)) <= 120)


def test_a_history_keeps_who_asked_and_who_approved() -> None:
    decisive = [entry("submitted", seq=1), entry("approved", ADA, seq=3)]
    entries = [("AAD-7K3F", entry("failed", seq=n, why="&" * 400)) for n in range(40, 30, -1)]
    told = HistoryPage(entries=entries, total=40, decisive=decisive)
    shown = history.history("AAD-7K3F", told)
    assert len(shown) <= LONGEST_TEXT
    assert are_whole(shown)
    lines = shown.splitlines()
    assert lines[1].endswith(f"· asked for · <@{ROSA.user_id}>")
    assert lines[2].endswith(f"· approved · <@{ADA.user_id}>")
    assert len(lines) == 1 + 2 + 1 + 10 + 1
    assert lines[-1] == "30 earlier: `/aad-setup history AAD-7K3F 2` shows them."


def test_a_history_that_fits_names_nobody_twice() -> None:
    entries = [entry("approved", ADA, seq=2), entry("submitted", seq=1)]
    told = HistoryPage(
        entries=[("AAD-7K3F", each) for each in entries], total=2, decisive=entries[::-1]
    )
    shown = history.history("AAD-7K3F", told)
    assert [line.split(" · ")[1] for line in shown.splitlines()[1:]] == ["asked for", "approved"]


def test_what_is_cut_is_cut_between_lines() -> None:
    rows = [f"• {number} {when(NOON)} &amp;" for number in range(60)]
    shown = clipped("\n".join(rows)).splitlines()
    assert shown[:-1] == rows[: len(shown) - 1]
    assert shown[-1] == f"… and {60 - len(shown) + 1} more lines"


def test_no_time_is_cut_in_two() -> None:
    for gap in range(80):
        shown = clipped("x" * gap + f" {when(NOON)}" * 60)
        assert len(shown) <= LONGEST_TEXT
        assert are_whole(shown), shown[-90:]
