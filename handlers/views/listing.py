"""Lists of registrations: a line each, for the person alone or for a whole channel."""

from bot.registrar.queries import LISTED
from bot.storage.queries import REACH, ListKind, ListLine, ListPage
from handlers.views import ui
from handlers.views.card import headline
from handlers.views.ids import COMMAND

WORDS = {
    ListKind.ALL: ("All registrations", "There are no registrations yet."),
    ListKind.OPEN: ("Registrations in progress", "Nothing is in progress."),
    ListKind.MINE: ("Your latest registrations", "You have no registrations yet."),
    ListKind.WAITING: (
        "Registrations that wait for approval",
        "No registration waits for approval.",
    ),
    ListKind.READY: ("Registrations that are ready", "No registration is ready."),
    ListKind.FAILED: ("Registrations that failed", "No registration has failed."),
    ListKind.EXPIRING: (
        "Secrets that have expired or expire within 30 days",
        "No secret has expired or expires within 30 days.",
    ),
}
"""The title of each list, and the words for an empty one."""
SHORTEST_NAME = 24
"""Minimum length of a name where lines are full: the rest of a line is never cut."""


def listing(which: ListKind, page: ListPage, *, decides: bool = False, may_ask: bool = True) -> str:
    """Return a list for one person: an approver reads which requests wait for their own decision,
    and a person who `may_ask` reads how to begin.
    """
    for_them = decides and which is ListKind.WAITING
    if not page.total:
        opens = f" `{COMMAND}` opens the form." if may_ask and which is ListKind.MINE else ""
        return "No registration waits for your decision." if for_them else WORDS[which][1] + opens
    title = "Registrations that wait for your decision" if for_them else _title(which, page)
    after = _after(which, page)
    if which is ListKind.EXPIRING:
        after.append(f"`{COMMAND} rotate AAD-…` asks for a new one beside the one in use.")
    others = [*(line(which, each, 0) for each in page.lines), title, *after]
    room = ui.LONGEST_TEXT - len("\n".join(others)) - len("**")
    longest = max(SHORTEST_NAME, room // max(1, len(page.lines)))
    lines = [line(which, each, longest) for each in page.lines]
    return "\n".join([f"*{title}*", *lines, *after])


def least(which: ListKind, page: ListPage) -> str:
    """Return a list for a whole channel: ids, how they stand, since when."""
    if not page.total:
        return "There are none." if which is ListKind.MINE else WORDS[which][1]
    title = "Latest registrations" if which is ListKind.MINE else _title(which, page)
    lines = [f"• {headline(each)} · asked {ui.when(each.created_at)}" for each in page.lines]
    return "\n".join([f"*{title}*", *lines, *_after(which, page)])


def _title(which: ListKind, page: ListPage) -> str:
    if which is ListKind.ALL and page.total >= REACH:
        return f"The newest {REACH} registrations"
    if which is ListKind.READY and page.total >= REACH:
        return f"The newest {REACH} registrations that are ready"
    return WORDS[which][0]


def line(which: ListKind, listed: ListLine, longest: int) -> str:
    """Return a line in which only the name is cut."""
    words = [f"• *{headline(listed)}*", ui.short(listed.name, longest) if longest else ""]
    if which is not ListKind.MINE:
        words.append(ui.person(listed.requester))
    if which is ListKind.EXPIRING and listed.expires_at is not None:
        ends = "expired" if listed.has_expired else "secret expires"
        words.append(f"{ends} {ui.when(listed.expires_at)}")
    else:
        words.append(f"asked {ui.when(listed.created_at)}")
    if listed.waits is not None:
        words.append(f"a {listed.waits} waits for approval")
    return " · ".join(words)


def _after(which: ListKind, page: ListPage) -> list[str]:
    """Say how many lines follow, and how to see them."""
    name = "list" if which is ListKind.OPEN else f"list {which}"
    if not page.lines:
        return [f"There is no such page: `{COMMAND} {name}` shows the first one."]
    following = page.offset // LISTED + 2
    more = f"and {page.left} more: `{COMMAND} {name} {following}` shows the next."
    return [more] if page.left else []
