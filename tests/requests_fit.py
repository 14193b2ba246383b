"""Does what the bot asked of the tenant fit Microsoft's schema and the bot's own list of rights?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.catalogue import read_catalogue
from bot.playground.tenant.calls import Call
from graph.rights import ConsentMode, rights
from tests.graph_schema import Misfit, Place, Schema

SAME_AS: Mapping[str, str] = {
    # The table has no row for this alternate key; learn.microsoft.com/graph/api/application-upsert
    # and …/application-get ask for the same permissions as by id.
    "/applications(uniquename={value})": "/applications/{id}",
}
"""Reviewed exceptions: paths that the public table lacks, and the row that counts for them."""

MUST_BE_REFUSED: Mapping[tuple[str, str], str] = {
    ("GET", "/policies/defaultappmanagementpolicy"): (
        "the connection test proves by it that the new application can do no more than planned"
    ),
}
"""Calls of a new application that no profile allows, and why they are made all the same."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One call that fits: who made it, and which row of the table allows it."""

    method: str
    template: str
    by_the_bot: bool


def fitting(schema: Schema, log: Iterable[Call], *, bot: str) -> set[Made]:
    """Return what was called, or raise Misfit. `bot` is the client id of the bot's application.

    Calls that a fault kept from the tenant are left out: it has neither caller nor body of them.
    """
    made = set()
    for call in log:
        if call.kind not in ("graph", "batched") or call.caller_app_id is None:
            continue
        try:
            place = schema.check(call)
            if place is not None:
                made.add(_allowed(schema, call, place, by_the_bot=call.caller_app_id == bot))
        except Misfit as misfit:
            raise Misfit(f"{call.method} {call.path} {dict(call.query)}: {misfit}") from None
    return made


def _allowed(schema: Schema, call: Call, place: Place, *, by_the_bot: bool) -> Made:
    made = Made(method=call.method, template=place.template, by_the_bot=by_the_bot)
    if not by_the_bot and (call.method, place.template) in MUST_BE_REFUSED:
        if call.status == 200:
            raise Misfit("this must be refused")
        return made
    held = rights(ConsentMode.AUTONOMOUS) if by_the_bot else granted()
    if not allowing(schema, made, held):
        raise Misfit(f"none of {sorted(held)} allows it")
    return made


def allowing(schema: Schema, made: Made, held: frozenset[str]) -> set[str]:
    """Return which of the rights held allow the call, those that are needed beside them, too."""
    rows = schema.rows(made.method, SAME_AS.get(made.template, made.template))
    enough: set[str] = set()
    for name, _, *together in rows:
        beside = held.intersection(*together)
        if name in held and (beside or not together):
            enough |= {name, *beside}
    return enough


def granted() -> frozenset[str]:
    """Return what any profile grants to a new application."""
    return frozenset(role for profile in read_catalogue().values() for role in profile.roles)
