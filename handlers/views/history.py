"""History as people read it: when, what, who."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.storage.history import BOT, Entry, HistoryPage
from handlers.views.blocks import LONGEST_TEXT, escaped, short, when
from handlers.views.ids import COMMAND

WORDS = {
    "submitted": "asked for",
    "planned": "plan made",
    "reminded": "approvers reminded",
    "withdrawn": "approval withdrawn",
    "approval void": "an approval no longer counts",
    "retried": "retry asked for",
    "undo asked": "undo asked for",
    "revoke asked": "revocation asked for",
    "purge asked": "deletion for good asked for",
    "purged": "deleted for good",
    "handover asked": "asked to hand it over",
    "requester left": "the requester's account is deactivated or gone",
    "secret claimed": "asked to see the secret",
    "secret doubtful": "nobody can tell whether the secret was seen",
    "secret unread": "nobody came for the secret in time",
    "unread secret removed": "that secret was removed from Entra",
    "secret expires": "told that the secret is about to expire",
    "secret expired": "told that the secret has expired",
    "hidden by hand": "masked by hand",
    "new secret asked": "new secret asked for",
    "rotation asked": "new secret beside the one in use asked for",
    "rotation expired": "rotation withdrawn, because nobody decided in time",
    "rotation withdrawn": "rotation withdrawn, because somebody else is the requester",
    "rotated": "new secret made beside the one in use",
    "previous secret over": "removal of the previous secret asked for",
    "previous secret removed": "previous secret removed from Entra",
    "check asked": "check asked for",
    "checked": "compared with the tenant",
    "check failed": "could not be compared with the tenant",
    "swept": "looked for stray secrets",
    "restored": "an older copy of the database was restored",
    "orphan": "something in the tenant fits no registration",
}
"""What storage's words mean to people; all others say it themselves."""

LONGEST = 200
"""More of a detail would push the other lines away."""


def history(id: str, told: HistoryPage, *, size: int) -> str:
    """Return a page of a registration's history, oldest line first; who asked and who decided
    stands on each.

    `size` is how many entries a page has. Only details give way to what has to be read whole.
    """
    pages = _pages(id, told, size)
    shown = {each.seq for _, each in told.entries}
    decisive = [each for each in told.decisive if each.seq not in shown]
    entries = [each for _, each in reversed(told.entries)]

    def lines(longest: int) -> list[str]:
        first = [f"• {entry(each, longest)}" for each in decisive]
        apart = ["…"] if first else []
        return [*first, *apart, *(f"• {entry(each, longest)}" for each in entries)]

    title = f"*History of {id}*"
    room = LONGEST_TEXT - len("\n".join([title, *lines(0), *pages]))
    longest = min(LONGEST, max(0, room // max(1, len(decisive) + len(entries)) - len(" ()")))
    return "\n".join([title, *lines(longest), *pages])


def _pages(id: str, told: HistoryPage, size: int) -> list[str]:
    """Say which part this is, and how to read what happened before."""
    following = told.offset // size + 2
    if not told.entries:
        return [f"There is no such page: `{COMMAND} history {id}` shows the newest one."]
    earlier = f"{told.left} earlier: `{COMMAND} history {id} {following}` shows them."
    return [earlier] if told.left else []


def entry(told: Entry, longest: int = LONGEST) -> str:
    """Return one entry as a line, its details no longer than that."""
    what = WORDS.get(told.what, told.what)
    words = [when(told.at), f"{escaped(what)}{_to(told.details)}{_details(told.details, longest)}"]
    if told.user_id != BOT.user_id:
        words.append(f"<@{told.user_id}>")
    return " · ".join(words)


def _to(details: Mapping[str, Any]) -> str:
    """Say to whom a registration is handed over, or whose approval it was."""
    if details.get("of"):
        return f", of <@{details['of']}>"
    return f" to <@{details['to']}>" if details.get("to") else ""


def _details(details: Mapping[str, Any], longest: int) -> str:
    said = " ".join(" ".join(_said(details)).split())
    return f" ({short(said, longest)})" if said and longest > 0 else ""


def _said(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people want to know; digests and key ids are for whoever reads the database."""
    for name in ("run", "code", "reason", "why"):
        if details.get(name):
            yield str(details[name])
    if differences := details.get("differences"):
        yield "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
    yield from map(str, details.get("reasons", ()))
