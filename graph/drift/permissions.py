"""Permissions that the application declares, and permissions that it was granted."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from graph.calls import Json
from graph.drift import snapshot as parts
from graph.drift.snapshot import Snapshot
from graph.permissions import CATALOGUE, MICROSOFT_GRAPH, Kind, Permission
from graph.plan import Plan
from graph.tenant_cache import TenantCache

PORTAL_EXTRAS = {
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
}
"""Scopes that the Entra admin centre adds to a consent by itself. They read no directory: at most
the profile of the person who signs in."""
_EXTRA_IDS = {id: name for name, id in PORTAL_EXTRAS.items()}
KNOWN_IDS = {permission.id: permission.name for permission in CATALOGUE.values()}


class Loss(str):
    """A difference that leaves the application with less than was approved: no attack."""

    __slots__ = ()


class Ungranted(Loss):
    """A permission of the plan that is not granted."""

    permission: Permission

    def __new__(cls, permission: Permission) -> Self:
        sentence = super().__new__(cls, f"No longer granted: {permission}.")
        sentence.permission = permission
        return sentence


class Leftover(str):
    """A secret that is marked as ours and has an unknown key id: of an answer that was lost, or of
    an attacker who disguises it.
    """

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The expected objects and grants, from everything that this bot knows."""

    plan: Plan
    secrets: Mapping[str, datetime]
    """The end of each live secret of ours, by key id."""
    now: datetime
    closing: AbstractSet[str] = frozenset()
    """Key ids of secrets of ours that are closed, and that Entra may still hold."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Microsoft Graph's permissions in this tenant: names by id."""

    def name(self, id: str) -> str:
        """Return a permission's name, or its id if the name is unknown."""
        return KNOWN_IDS.get(id) or self.names.get(id) or id


def required(expected: Expected, application: Json) -> Iterator[str]:
    """Yield changes of the declared permissions: the next admin consent would grant them."""
    plan = expected.plan
    wanted = {(MICROSOFT_GRAPH, each.id, each.kind.value) for each in (*plan.roles, *plan.scopes)}
    asked = _asked_for(application)
    found = {each for each in asked if each in wanted or each[1] not in _EXTRA_IDS}
    for resource, id, kind in sorted(found - wanted):
        yield (
            f"The application now also asks for {_what(expected, id, kind)}{_of(resource)}:"
            " the next admin consent would grant it."
        )
    for _, id, kind in sorted(wanted - found):
        yield Loss(f"The application no longer asks for {_what(expected, id, kind)}.")


def roles(expected: Expected, grants: Json) -> Iterator[str]:
    assigned = grants["value"]
    ours = {each["appRoleId"] for each in assigned if is_graph(expected.plan, each)}
    wanted = {each.id for each in expected.plan.roles}
    for id in sorted(ours - wanted, key=expected.name):
        yield f"Granted and not in the plan: {expected.name(id)} (application)."
    for each in assigned:
        if not is_graph(expected.plan, each):
            resource = each.get("resourceDisplayName") or each["resourceId"]
            yield f"Granted and not in the plan: a permission of {resource} (application)."
    for each in sorted(expected.plan.roles, key=lambda it: it.name):
        if each.id not in ours:
            yield Ungranted(each)


def scopes(expected: Expected, grants: Json) -> Iterator[str]:
    held = scopes_for_all(expected.plan, grants["value"])
    wanted = {each.name for each in expected.plan.scopes}
    for name in sorted(held - wanted - PORTAL_EXTRAS.keys()):
        yield f"Granted and not in the plan: {name} (delegated)."
    for each in grants["value"]:
        scope = " ".join((each["scope"] or "").split())
        if not is_graph(expected.plan, each):
            yield f"Granted and not in the plan: {scope} of another API (delegated)."
        elif each["consentType"] != "AllPrincipals" and set(scope.split()) - PORTAL_EXTRAS.keys():
            yield f"Granted and not in the plan: {scope} for one person (delegated)."
    for each in sorted(expected.plan.scopes, key=lambda it: it.name):
        if each.name not in held:
            yield Ungranted(each)


def tolerated(plan: Plan, seen: Snapshot) -> Iterator[str]:
    granted = scopes_for_all(plan, seen.items(parts.SCOPES) or ())
    application = seen.parts.get(parts.APPLICATION) or {}
    wished = {_EXTRA_IDS[id] for _, id, _ in _asked_for(application) if id in _EXTRA_IDS}
    wanted = {each.name for each in plan.scopes}
    if extras := sorted((granted | wished) & PORTAL_EXTRAS.keys() - wanted):
        yield f"Added by Entra for sign-in, no action needed: {', '.join(extras)} (delegated)."


async def names(seen: Snapshot, tenant_cache: TenantCache) -> Mapping[str, str]:
    """Return names of permissions by id: asked for only if there is one that the bot does not know.

    Raises GraphError.
    """
    granted = {each["appRoleId"] for each in seen.items(parts.ROLES) or ()}
    application = seen.parts.get(parts.APPLICATION) or {}
    wanted = {id for _, id, _ in _asked_for(application)}
    if not (granted | wanted) - KNOWN_IDS.keys() - _EXTRA_IDS.keys():
        return {}
    resource = await tenant_cache.resource()
    return {id: name for (name, _), id in resource.ids.items()}


def _asked_for(application: Json) -> set[tuple[str, str, str]]:
    """Return the declared permissions: resource app id, permission id, Role or Scope."""
    return {
        (resource["resourceAppId"], each["id"], each["type"])
        for resource in application.get("requiredResourceAccess") or ()
        for each in resource["resourceAccess"]
    }


def scopes_for_all(plan: Plan, grants: Iterable[Json]) -> set[str]:
    return {
        scope
        for each in grants
        if is_graph(plan, each) and each["consentType"] == "AllPrincipals"
        for scope in (each["scope"] or "").split()
    }


def is_graph(plan: Plan, grant: Json) -> bool:
    return bool(grant["resourceId"] == plan.resource_id)


def _what(expected: Expected, id: str, kind: str) -> str:
    return f"{expected.name(id)} ({'application' if kind == Kind.ROLE else 'delegated'})"


def _of(resource: str) -> str:
    return "" if resource == MICROSOFT_GRAPH else f" of the API {resource}"
