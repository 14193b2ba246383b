"""History as people read it: when, what, who."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.events import Event
from bot.storage.history import BOT, Entry, HistoryPage
from handlers.views.blocks import LONGEST_TEXT, escaped, short, when
from handlers.views.ids import COMMAND

WORDS: Mapping[str, str] = {
    Event.SUBMITTED: "asked for",
    Event.PLANNED: "plan made",
    Event.REFUSED: "refused",
    Event.REMINDED: "approvers reminded",
    Event.APPROVED: "approved",
    Event.WITHDRAWN: "approval withdrawn",
    Event.APPROVAL_VOID: "an approval no longer counts",
    Event.DENIED: "denied",
    Event.CANCELLED: "cancelled",
    Event.EXPIRED: "expired",
    Event.READY: "ready",
    Event.FAILED: "failed",
    Event.RETRIED: "retry asked for",
    Event.UNDO_REQUESTED: "undo asked for",
    Event.UNDONE: "undone",
    Event.REVOKE_REQUESTED: "revocation asked for",
    Event.REVOKED: "revoked",
    Event.PURGE_REQUESTED: "deletion for good asked for",
    Event.PURGED: "deleted for good",
    Event.HANDOVER_REQUESTED: "asked to hand it over",
    Event.HANDED_OVER: "handed over",
    Event.REQUESTER_LEFT: "the requester's account is deactivated or gone",
    Event.SECRET_CLAIMED: "asked to see the secret",
    Event.SECRET_SHOWN: "secret shown",
    Event.SECRET_UNKNOWN: "nobody can tell whether the secret was seen",
    Event.SECRET_MASKED: "secret masked",
    Event.SECRET_NOT_MASKED: "secret not masked",
    Event.MASK_REQUESTED: "masked by hand",
    Event.SECRET_UNREAD: "nobody came for the secret in time",
    Event.UNREAD_REMOVED: "that secret was removed from Entra",
    Event.SECRET_EXPIRES: "told that the secret is about to expire",
    Event.SECRET_EXPIRED: "told that the secret has expired",
    Event.REPLACEMENT_REQUESTED: "new secret asked for",
    Event.ROTATION_REQUESTED: "new secret beside the one in use asked for",
    Event.ROTATION_CONFIRMED: "rotation confirmed",
    Event.ROTATION_DENIED: "rotation denied",
    Event.ROTATION_CANCELLED: "rotation cancelled",
    Event.ROTATION_EXPIRED: "rotation expired, because nobody decided in time",
    Event.ROTATION_VOTE_WITHDRAWN: "approval of the rotation withdrawn",
    Event.HANDOVER_CONFIRMED: "handover confirmed",
    Event.HANDOVER_VOTE_WITHDRAWN: "approval of the handover withdrawn",
    Event.HANDOVER_DENIED: "handover denied",
    Event.HANDOVER_CANCELLED: "handover cancelled",
    Event.HANDOVER_EXPIRED: "handover expired, because nobody decided in time",
    Event.HANDOVER_WITHDRAWN: "handover withdrawn, because another was asked for",
    Event.PURGE_CONFIRMED: "purge confirmed",
    Event.PURGE_VOTE_WITHDRAWN: "approval of the purge withdrawn",
    Event.PURGE_DENIED: "purge denied",
    Event.PURGE_CANCELLED: "purge cancelled",
    Event.PURGE_EXPIRED: "purge expired, because nobody decided in time",
    Event.PURGE_WITHDRAWN: "purge withdrawn",
    Event.ROTATION_WITHDRAWN: "rotation withdrawn, because somebody else is the requester",
    Event.ROTATED: "new secret made beside the one in use",
    Event.PREVIOUS_REMOVAL_REQUESTED: "removal of the previous secret asked for",
    Event.PREVIOUS_REMOVED: "previous secret removed from Entra",
    Event.CHECK_REQUESTED: "check asked for",
    Event.CHECKED: "compared with the tenant",
    Event.CHECK_FAILED: "could not be compared with the tenant",
    Event.SWEPT: "looked for stray secrets",
    Event.RESTORED: "an older copy of the database was restored",
    Event.ORPHAN: "something in the tenant fits no registration",
}
"""The words for people, of every event."""

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
    what = WORDS.get(told.what, told.what)  # the value itself if this version does not know it
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
