"""History as people read it: when, what, who."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.storage.history import BOT, Entry, Told
from handlers.views.words import clipped, escaped, when

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


def history(id: str, told: Told) -> str:
    """Return the newest part of a registration's history, oldest line first."""
    earlier = told.total - len(told.entries)
    lines = [f"• {entry(each)}" for _, each in reversed(told.entries)]
    before = [f"(and {earlier} earlier)"] if earlier > 0 else []
    return clipped("\n".join([f"*History of {id}*", *before, *lines]))


def entry(told: Entry) -> str:
    """Return one entry as a line."""
    what = WORDS.get(told.what, told.what)
    words = [when(told.at), f"{escaped(what)}{_to(told.details)}{_details(told.details)}"]
    if told.user_id != BOT.user_id:
        words.append(f"<@{told.user_id}>")
    return " · ".join(words)


def _to(details: Mapping[str, Any]) -> str:
    """Say to whom a registration is handed over, or whose approval it was."""
    if details.get("of"):
        return f", of <@{details['of']}>"
    return f" to <@{details['to']}>" if details.get("to") else ""


def _details(details: Mapping[str, Any]) -> str:
    said = " ".join(_said(details))
    return f" ({escaped(' '.join(said.split())[:LONGEST])})" if said else ""


def _said(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people want to know; digests and key ids are for whoever reads the database."""
    for name in ("run", "code", "reason", "why"):
        if details.get(name):
            yield str(details[name])
    if differences := details.get("differences"):
        yield "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
    yield from map(str, details.get("reasons", ()))
