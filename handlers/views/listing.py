"""Lists of registrations: a line each, for the person alone or for a whole channel."""

from bot.storage.listing import Listed, Page, Which
from handlers.views.card import headline
from handlers.views.ids import COMMAND
from handlers.views.words import clipped, escaped, person, when

TITLES = {
    Which.OPEN: "Registrations on their way",
    Which.MINE: "Your latest registrations",
    Which.WAITING: "Registrations that wait for approval",
    Which.FAILED: "Registrations that failed",
    Which.EXPIRING: "Secrets that expire within 30 days",
}
NONE = {
    Which.OPEN: "No registration is on its way.",
    Which.MINE: f"You have no registrations yet. `{COMMAND}` opens the form.",
    Which.WAITING: "No registration waits for approval.",
    Which.FAILED: "No registration has failed.",
    Which.EXPIRING: "No secret expires within 30 days.",
}


def listing(which: Which, page: Page, *, decides: bool = False) -> str:
    """Return a list for the person who asked; for whoever `decides`, what waits waits for them."""
    for_them = decides and which is Which.WAITING
    if not page.lines:
        return "No registration waits for your decision." if for_them else NONE[which]
    title = "Registrations that wait for your decision" if for_them else TITLES[which]
    lines = [_line(which, each) for each in page.lines]
    more = _more(page, hint=_where_the_rest_is(which, decides=decides))
    if which is Which.EXPIRING:
        more.append(f"`{COMMAND} rotate AAD-…` asks for a new one beside the one in use.")
    return clipped("\n".join([f"*{title}*", *lines, *more]))


def least(which: Which, page: Page) -> str:
    """Return a list for a whole channel: ids, how they stand, since when."""
    if not page.lines:
        return "There are none." if which is Which.MINE else NONE[which]
    title = "Latest registrations" if which is Which.MINE else TITLES[which]
    lines = [f"• {headline(each)} · asked {when(each.created_at)}" for each in page.lines]
    return clipped("\n".join([f"*{title}*", *lines, *_more(page)]))


def _line(which: Which, listed: Listed) -> str:
    words = [f"• *{headline(listed)}*", escaped(listed.name)]
    if which is not Which.MINE:
        words.append(person(listed.requester))
    if which is Which.EXPIRING and listed.expires_at is not None:
        words.append(f"secret expires {when(listed.expires_at)}")
    else:
        words.append(f"asked {when(listed.created_at)}")
    if listed.asks_rotation:
        words.append("a rotation waits for approval")
    return " · ".join(words)


def _where_the_rest_is(which: Which, *, decides: bool) -> str:
    """Say where to see the others: the Home tab has pages, a list has not."""
    at_home = (Which.MINE, Which.WAITING, Which.EXPIRING) if decides else (Which.MINE,)
    if which in at_home:
        return " The Home tab of this bot shows them all."
    return f" `{COMMAND} status AAD-…` shows one."


def _more(page: Page, *, hint: str = "") -> list[str]:
    more = page.total - len(page.lines)
    return [f"and {more} more.{hint}"] if more > 0 else []
