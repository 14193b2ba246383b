"""History as people read it: when, what, who."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.storage.history import BOT, Entry
from bot.storage.listing import Told
from handlers.views.words import clipped, escaped, when

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
    words = [when(told.at), f"{escaped(told.what)}{_details(told.details)}"]
    if told.user_id != BOT.user_id:
        words.append(f"<@{told.user_id}>")
    return " · ".join(words)


def _details(details: Mapping[str, Any]) -> str:
    said = " ".join(_said(details))
    return f" ({escaped(' '.join(said.split())[:LONGEST])})" if said else ""


def _said(details: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people want to know; digests and key ids are for whoever reads the database."""
    for name in ("run", "code", "reason"):
        if details.get(name):
            yield str(details[name])
    if differences := details.get("differences"):
        yield f"{len(differences)} different"
    yield from map(str, details.get("reasons", ()))
