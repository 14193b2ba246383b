"""History as people read it: time, event, person."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.events import REQUEST_EVENTS, Event
from bot.registrar.queries import ENTRIES
from bot.storage.history import BOT, Entry, HistoryPage
from handlers.views import ui
from handlers.views.ids import COMMAND

KINDS = ("rotation", "handover", "purge")
"""The kinds of approval requests, as their events begin."""

WORDS: Mapping[str, str] = {
    **{each: str(each) for each in Event},
    **{f"{kind} {what}": f"{kind} {what}" for kind in KINDS for what in REQUEST_EVENTS},
    **{f"{kind} expired": f"{kind} expired, because no approver decided in time" for kind in KINDS},
    **{f"{kind} vote withdrawn": f"approval of the {kind} withdrawn" for kind in KINDS},
    Event.SUBMITTED: "asked for",
    Event.PLANNED: "plan made",
    Event.REMINDED: "approvers reminded",
    Event.WITHDRAWN: "approval withdrawn",
    Event.APPROVAL_VOID: "an approval no longer counts",
    Event.CONSENT_AWAITED: "an administrator has to consent",
    Event.SIGNED_IN: "an approver has signed in to grant",
    Event.CONSENT_GIVEN: "an administrator has consented",
    Event.CONSENT_WITHDRAWN: "an administrator has withdrawn a grant",
    Event.RETRIED: "retry asked for",
    Event.UNDO_REQUESTED: "undo asked for",
    Event.REVOKE_REQUESTED: "revocation asked for",
    Event.PURGE_REQUESTED: "deletion for good asked for",
    Event.PURGED: "deleted for good",
    Event.HANDOVER_REQUESTED: "asked to hand it over",
    Event.REQUESTER_LEFT: "the requester's account is deactivated or gone",
    Event.SECRET_CLAIMED: "asked to see the secret",
    Event.SECRET_UNKNOWN: "it is unknown whether the secret was seen",
    Event.MASK_REQUESTED: "masked by hand",
    Event.SECRET_UNREAD: "the secret wasn't picked up in time",
    Event.UNREAD_REMOVED: "that secret was removed from Entra",
    Event.SECRET_EXPIRES: "told that the secret is about to expire",
    Event.SECRET_EXPIRED: "told that the secret has expired",
    Event.REPLACEMENT_REQUESTED: "new secret asked for",
    Event.ROTATION_REQUESTED: "new secret beside the one in use asked for",
    "handover withdrawn": "handover withdrawn, because another was asked for",
    "rotation withdrawn": "rotation withdrawn, because the requester has changed",
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
"""The words of every event: its own value unless people need others."""

LONGEST = 200
"""More of a detail would push the other lines away."""


def history(id: str, told: HistoryPage) -> str:
    """Return a page of a registration's history, oldest line first; each begins with the request
    and the decisions. Only details are cut where a page is full.
    """
    pages = _pages(id, told)
    shown = {each.seq for _, each in told.entries}
    decisive = [each for each in told.decisive if each.seq not in shown]
    entries = [each for _, each in reversed(told.entries)]

    def lines(longest: int) -> list[str]:
        first = [f"• {entry(each, longest)}" for each in decisive]
        apart = ["…"] if first else []
        return [*first, *apart, *(f"• {entry(each, longest)}" for each in entries)]

    title = f"*History of {id}*"
    room = ui.LONGEST_TEXT - len("\n".join([title, *lines(0), *pages]))
    longest = min(LONGEST, max(0, room // max(1, len(decisive) + len(entries)) - len(" ()")))
    return "\n".join([title, *lines(longest), *pages])


def _pages(id: str, told: HistoryPage) -> list[str]:
    """Say how to read the earlier entries, or the newest ones if there is no such page."""
    following = told.offset // ENTRIES + 2
    if not told.entries:
        return [f"There is no such page: `{COMMAND} history {id}` shows the newest one."]
    earlier = f"{told.left} earlier: `{COMMAND} history {id} {following}` shows them."
    return [earlier] if told.left else []


def entry(told: Entry, longest: int = LONGEST) -> str:
    """Return one entry as a line, its details no longer than that."""
    event = WORDS.get(told.what, told.what)  # the value itself if this version does not know it
    words = [
        ui.when(told.at),
        f"{ui.escaped(event)}{_to(told.details)}{_details(told.details, longest)}",
    ]
    if told.user_id != BOT.user_id:
        words.append(f"<@{told.user_id}>")
    return " · ".join(words)


def _to(details: Mapping[str, Any]) -> str:
    """Name the new requester of a handover, or the approver whose approval it was."""
    if details.get("of"):
        return f", of <@{details['of']}>"
    return f" to <@{details['to']}>" if details.get("to") else ""


def _details(details: Mapping[str, Any], longest: int) -> str:
    said = " ".join(" ".join(_said(details)).split())
    return f" ({ui.short(said, longest)})" if said and longest > 0 else ""


def _said(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield the details for people; digests and key ids are only in the database."""
    for name in ("run", "code", "reason", "why", "account", "context", "how"):
        if details.get(name):
            yield str(details[name])
    if differences := details.get("differences"):
        yield "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
    yield from map(str, details.get("reasons", ()))
