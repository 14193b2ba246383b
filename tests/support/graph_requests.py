"""Does what the bot asked of the tenant fit Microsoft's schema and the bot's own list of rights?"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from bot.domain.catalogue import read_catalogue
from bot.playground.tenant import Tenant
from bot.playground.tenant.calls import Call
from graph.rights import ConsentMode, rights
from tests.support.graph_schema import Misfit, Place, Schema

SAME_AS: Mapping[str, str] = {
    # The table has no row for this alternate key; learn.microsoft.com/graph/api/application-upsert
    # and …/application-get ask for the same permissions as by id.
    "/applications(uniquename={value})": "/applications/{id}",
    # Nor one for what was deleted; …/graph/api/directory-deleteditems-list and -get ask for the
    # permission that reads the type.
    "/directory/deleteditems/microsoft.graph.application": "/applications",
    "/directory/deleteditems/{id}": "/applications/{id}",
}
"""Reviewed exceptions: paths that the public table lacks, and the row that counts for them."""

OWNERS = ("user", "servicePrincipal")
MEMBERS: Mapping[str, tuple[str, ...]] = {
    # The schema says directoryObject, without a name. …/graph/api/application-list-owners answers
    # with users and service principals, and $select takes what these have.
    "/applications/{id}/owners": OWNERS,
    "/serviceprincipals/{id}/owners": OWNERS,
}
"""Reviewed exceptions: collections whose members are of types that the schema does not name."""

OUTSIDE = ("/v1.0/roleManagement/directory/", "/v1.0/policies/permissionGrantPolicies/")
"""Reviewed exceptions: paths of `doctor` whose types the cut leaves out."""

EVERY_RIGHT = frozenset().union(*(rights(mode) for mode in ConsentMode))
"""What bots hold, in whichever consent mode."""

MUST_BE_REFUSED: Mapping[tuple[str, str], str] = {
    ("GET", "/policies/defaultappmanagementpolicy"): (
        "the connection test proves by it that the new application can do no more than planned"
    )
}
"""Calls of a new application that no profile allows, and why they are made all the same."""

_UPSERT = re.compile(r"/servicePrincipals\(appId='([^']+)'\)$")


@dataclass(frozen=True, kw_only=True)
class Made:
    """One call that fits: who made it, and which row of the table allows it."""

    method: str
    template: str
    by_the_bot: bool


def story_fits(schema: Schema, tenant: Tenant) -> set[Made]:
    """Return what the bot and the applications that it made have called, or raise Misfit.

    Whoever holds more rights than the bot ever needs is a person at work in the tenant, who may
    ask for anything.
    """
    connectors = _connectors(tenant.log)
    callers = {call.caller_app_id for call in tenant.log} - {None} - connectors
    least = EVERY_RIGHT
    bots = {id for id in callers if id is not None and tenant.roles_of(id) <= least}
    bots.add(tenant.administrator.client_id)
    log = [call for call in tenant.log if call.caller_app_id in connectors | bots]
    widened = {id for id in connectors if not tenant.roles_of(id) <= granted()}
    return fitting(schema, log, bots=bots, widened=widened)


def fitting(
    schema: Schema, log: Iterable[Call], *, bots: Collection[str], widened: Collection[str] = ()
) -> set[Made]:
    """Return what was called, or raise Misfit.

    `bots` are client ids, the others are connectors; a person has granted more to those in
    `widened` than any profile does, so that nothing needs to be refused to them.

    Calls that a fault kept from the tenant are left out: it has neither caller nor body of them.
    """
    made = set()
    for call in log:
        if call.kind not in ("graph", "batched") or call.caller_app_id is None:
            continue
        if call.path.startswith(OUTSIDE):
            continue
        try:
            place = schema.check(call, members=MEMBERS)
            if place is None:
                continue
            made.add(_allowed(schema, call, place, by_the_bot=call.caller_app_id in bots))
            if call.caller_app_id not in {*bots, *widened}:
                _refused(call, place)
        except Misfit as misfit:
            raise Misfit(f"{call.method} {call.path} {dict(call.query)}: {misfit}") from None
    return made


def _connectors(log: Iterable[Call]) -> set[str]:
    """Return the client ids for which the log shows that a service principal was made."""
    upserts = (_UPSERT.search(call.path) for call in log if call.method == "PATCH")
    return {found[1] for found in upserts if found}


def _allowed(schema: Schema, call: Call, place: Place, *, by_the_bot: bool) -> Made:
    made = Made(method=call.method, template=place.template, by_the_bot=by_the_bot)
    if not by_the_bot and (call.method, place.template) in MUST_BE_REFUSED:
        return made
    held = EVERY_RIGHT if by_the_bot else granted()
    if not allowing(schema, made, held):
        raise Misfit(f"none of {sorted(held)} allows it")
    return made


def _refused(call: Call, place: Place) -> None:
    if call.status == 200 and (call.method, place.template) in MUST_BE_REFUSED:
        raise Misfit("this must be refused")


def allowing(schema: Schema, made: Made, held: frozenset[str]) -> set[str]:
    """Return which of the rights held allow the call, those that are needed beside them, too."""
    rows = schema.rows(made.method, SAME_AS.get(made.template, made.template))
    enough: set[str] = set()
    for name, _, *together in rows:
        beside = held.intersection(*together)
        if name in held and (beside or not together):
            enough |= {name, *beside}
    return enough


@cache
def granted() -> frozenset[str]:
    """Return what any profile grants to a new application."""
    return frozenset(role for profile in read_catalogue().values() for role in profile.roles)
