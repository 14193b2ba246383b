"""Drift: how the tenant differs from the plan, in sentences for people. It changes nothing.

A check costs one call: a `$batch` of nine reads. More only where there is something to say: one if
the application or its service principal is gone, one if another service principal stands in its
place, one for Microsoft Graph's own list of permissions
(remembered for five minutes) if one was granted that this bot never grants, one for each page of
more than a hundred grants. If the bot was refused a part, it asks for that part alone, the second
time with a new token (two), and for everything again if that has helped (one).
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from graph import seen as parts
from graph.application import LONGEST_NOTES
from graph.knowledge import Knowledge
from graph.permissions import CATALOGUE, MICROSOFT_GRAPH, Kind
from graph.plan import Plan
from graph.seen import Seen
from graph.site import Site

Json = dict[str, Any]

PORTAL_EXTRAS = {
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
}
"""Scopes that the Entra admin centre adds to a consent by itself. They read no directory."""

_KNOWN_IDS = {permission.id: permission.name for permission in CATALOGUE.values()}
_EXTRA_IDS = {id: name for name, id in PORTAL_EXTRAS.items()}
_PLATFORMS = ("web", "spa", "publicClient")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What differs, what differs and does not matter, and what the bot could not look at."""

    differences: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the tenant should hold, by everything that this bot knows."""

    plan: Plan
    secrets: Mapping[str, datetime]
    """The end of each live secret of ours, by key id."""
    now: datetime
    closing: AbstractSet[str] = frozenset()
    """Key ids of secrets of ours that are closed, and that Entra may still hold."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Microsoft Graph's permissions in this tenant: names by id."""

    @property
    def mark(self) -> str:
        return f" · {self.plan.registration} · "

    def name(self, id: str) -> str:
        return _KNOWN_IDS.get(id) or self.names.get(id) or id


async def look(
    site: Site,
    *,
    knowledge: Knowledge,
    secrets: Mapping[str, datetime],
    closing: AbstractSet[str] = frozenset(),
) -> Drift:
    """Read the tenant and compare. Raises GraphError if it could not be read at all.

    `secrets` are the live ones: their ends by key id; `closing` those that wait for their removal.
    """
    seen = await parts.read(site)
    expected = Expected(
        plan=site.plan,
        secrets=secrets,
        now=site.clock.now(),
        closing=closing,
        names=await _names(seen, knowledge),
    )
    return compare(expected, seen)


def compare(expected: Expected, seen: Seen) -> Drift:
    """Tell every difference. Pure."""
    application = seen.parts.get(parts.APPLICATION)
    principal = seen.parts.get(parts.PRINCIPAL)
    return Drift(
        differences=tuple(
            chain(
                _gone(seen),
                _remade(seen),
                _application(expected.plan, application) if application else (),
                _required(expected, application) if application else (),
                _marks(expected.plan, application) if application else (),
                _secrets(expected, application) if application else (),
                _federated(seen),
                _principal(principal) if principal else (),
                _roles(expected, seen),
                _scopes(expected, seen),
                _owners(seen, parts.OWNERS, "the application"),
                _owners(seen, parts.PRINCIPAL_OWNERS, "the service principal"),
            )
        ),
        tolerated=tuple(chain(_tolerated(expected.plan, seen), _waiting(expected, application))),
        unseen=tuple(_unseen(seen)),
    )


async def _names(seen: Seen, knowledge: Knowledge) -> Mapping[str, str]:
    """Ask the tenant for the names of permissions only if there is one to be named."""
    granted = {each["appRoleId"] for each in seen.items(parts.ROLES) or ()}
    application = seen.parts.get(parts.APPLICATION) or {}
    asked = {id for _, id, _ in _asked(application)}
    if not (granted | asked) - _KNOWN_IDS.keys() - _EXTRA_IDS.keys():
        return {}
    resource = await knowledge.resource()
    return {id: name for (name, _), id in resource.ids.items()}


def _gone(seen: Seen) -> Iterator[str]:
    # With the application goes its service principal: that is one thing that happened, not two.
    for name in (parts.APPLICATION, parts.PRINCIPAL):
        if name not in seen.gone:
            continue
        if at := seen.deleted_at.get(name):
            yield (
                f"The {name} was deleted on {_day(at)}. Entra keeps it for 30 days: it can be"
                " restored until then. The connector cannot sign in."
            )
        else:
            yield f"The {name} is gone from the tenant for good. The connector cannot sign in."
        if name == parts.APPLICATION:
            return


def _remade(seen: Seen) -> Iterator[str]:
    if seen.remade is not None:
        yield (
            "The service principal was deleted and made again by hand (object id"
            f" {seen.remade}). Grants do not come back by themselves."
        )


def _application(plan: Plan, application: Json) -> Iterator[str]:
    if application.get("isDisabled") or _is_blocked(application):
        yield "The application is disabled. The connector cannot sign in."
    if application["displayName"] != plan.name:
        yield f"The application was renamed to “{application['displayName']}”."
    if application["signInAudience"] != "AzureADMyOrg":
        yield (
            "The application now accepts other accounts than this directory's"
            f" ({application['signInAudience']})."
        )
    wanted = {plan.redirect} if plan.redirect else set()
    platforms = [application.get(each) or {} for each in _PLATFORMS]
    found = {uri for each in platforms for uri in each.get("redirectUris") or ()}
    yield from (f"A redirect URL was added: {uri}" for uri in sorted(found - wanted))
    yield from (f"The redirect URL was removed: {uri}" for uri in sorted(wanted - found))


def _required(expected: Expected, application: Json) -> Iterator[str]:
    """What the application asks for. It grants nothing, but the next consent would."""
    plan = expected.plan
    wanted = {(MICROSOFT_GRAPH, each.id, each.kind.value) for each in (*plan.roles, *plan.scopes)}
    found = {each for each in _asked(application) if each[1] not in _EXTRA_IDS}
    for resource, id, kind in sorted(found - wanted):
        yield (
            f"The application now also asks for {_what(expected, id, kind)}{_of(resource)}:"
            " the next admin consent would grant it."
        )
    for _, id, kind in sorted(wanted - found):
        yield f"The application no longer asks for {_what(expected, id, kind)}."


def _marks(plan: Plan, application: Json) -> Iterator[str]:
    """What tells people whose application it is, and tells this bot that it is its own."""
    wanted, found = set(plan.tags), set(application["tags"])
    yield from (f"A tag was added: {tag}" for tag in sorted(found - wanted))
    for tag in sorted(wanted - found):
        yield f"A tag was removed, by which the bot knows its own: {tag}"
    if not _holds_notes(plan, application["notes"] or ""):
        yield "The notes were changed: they said who asked for the application, and why."
    reference = application["serviceManagementReference"]
    if reference != plan.registration:
        yield f"The service management reference was changed to “{reference or ''}”."


def _holds_notes(plan: Plan, notes: str) -> bool:
    """Whether these are the plan's notes: behind the approvers' names, and cut where Entra cuts."""
    start = notes.find(plan.notes[:40])
    if start < 0 or (start > 0 and not notes.startswith("Approved by ")):
        return False
    rest = notes[start:]
    return rest == plan.notes or (len(notes) == LONGEST_NOTES and plan.notes.startswith(rest))


def _secrets(expected: Expected, application: Json) -> Iterator[str]:
    held = {each["keyId"]: each for each in application["passwordCredentials"]}
    for key_id in sorted(expected.secrets.keys() - held.keys()):
        yield f"Our secret is gone (key id {key_id}). The connector can no longer sign in with it."
    for key_id, end in sorted(expected.secrets.items()):
        if key_id in held and end <= expected.now:
            yield f"Our secret expired on {end.date()} (key id {key_id})."
    for key_id in sorted(held.keys() - expected.secrets.keys() - expected.closing):
        yield _foreign_secret(expected, held[key_id])
    for each in application["keyCredentials"]:
        yield f"A certificate was added by hand{_named(each)}{_ending(each, expected.now)}."


def _foreign_secret(expected: Expected, secret: Json) -> str:
    details = f"{_named(secret)}, key id {secret['keyId']}{_ending(secret, expected.now)}"
    if expected.mark in (secret.get("displayName") or ""):
        return f"A secret carries this registration's id and is not known: a leftover{details}."
    return f"A secret was added by hand{details}."


def _federated(seen: Seen) -> Iterator[str]:
    """This bot makes none, so each is somebody's way in without any secret."""
    for each in seen.items(parts.FEDERATED) or ():
        yield (
            f"A federated credential was added by hand (“{each['name']}”): {each['issuer']} lets"
            f" “{_subject(each)}” sign in as this application, without a secret."
        )


def _subject(credential: Json) -> str:
    """Return whom it lets in; a flexible one has an expression in place of a subject (beta)."""
    expression = (credential.get("claimsMatchingExpression") or {}).get("value")
    return str(credential.get("subject") or expression or "anybody")


def _waiting(expected: Expected, application: Json | None) -> Iterator[str]:
    held = application["passwordCredentials"] if application else ()
    for each in held:
        if each["keyId"] in expected.closing:
            yield (
                f"A secret of ours{_named(each)} is closed and waits for its removal"
                f" (key id {each['keyId']})."
            )


def _principal(principal: Json) -> Iterator[str]:
    if not principal["accountEnabled"] or principal.get("isDisabled") or _is_blocked(principal):
        yield "Sign-in is disabled for the service principal. The connector cannot sign in."
    for each in (*principal["passwordCredentials"], *principal["keyCredentials"]):
        yield f"A credential was added to the service principal by hand{_named(each)}."


def _roles(expected: Expected, seen: Seen) -> Iterator[str]:
    assigned = seen.items(parts.ROLES)
    if assigned is None:
        return
    ours = {each["appRoleId"] for each in assigned if _is_graph(expected.plan, each)}
    wanted = {each.id for each in expected.plan.roles}
    for id in sorted(ours - wanted, key=expected.name):
        yield f"Granted and not in the plan: {expected.name(id)} (application)."
    for each in assigned:
        if not _is_graph(expected.plan, each):
            resource = each.get("resourceDisplayName") or each["resourceId"]
            yield f"Granted and not in the plan: a permission of {resource} (application)."
    for id in sorted(wanted - ours, key=expected.name):
        yield f"No longer granted: {expected.name(id)} (application)."


def _scopes(expected: Expected, seen: Seen) -> Iterator[str]:
    grants = seen.items(parts.SCOPES)
    if grants is None or parts.PRINCIPAL in seen.gone:  # they have gone with it
        return
    held = _scopes_for_all(expected.plan, grants)
    wanted = {each.name for each in expected.plan.scopes}
    for name in sorted(held - wanted - PORTAL_EXTRAS.keys()):
        yield f"Granted and not in the plan: {name} (delegated)."
    for each in grants:
        scope = " ".join((each["scope"] or "").split())
        if not _is_graph(expected.plan, each):
            yield f"Granted and not in the plan: {scope} of another API (delegated)."
        elif each["consentType"] != "AllPrincipals":
            yield f"Granted and not in the plan: {scope} for one person (delegated)."
    for name in sorted(wanted - held):
        yield f"No longer granted: {name} (delegated)."


def _owners(seen: Seen, part: str, owned: str) -> Iterator[str]:
    owners = seen.items(part)
    if owners is None or parts.BOT not in seen.parts:
        return
    bot = seen.parts[parts.BOT]["id"]
    for each in sorted(owners, key=lambda owner: str(owner["id"])):
        if each["id"] != bot:
            yield f"An owner was added to {owned}: {each.get('displayName') or each['id']}."
    if seen.must_own and bot not in {each["id"] for each in owners}:
        yield f"This bot no longer owns {owned}, so it can neither renew nor undo."


def _tolerated(plan: Plan, seen: Seen) -> Iterator[str]:
    granted = _scopes_for_all(plan, seen.items(parts.SCOPES) or ())
    application = seen.parts.get(parts.APPLICATION) or {}
    asked = {_EXTRA_IDS[id] for _, id, _ in _asked(application) if id in _EXTRA_IDS}
    wanted = {each.name for each in plan.scopes}
    if extras := sorted((granted | asked) & PORTAL_EXTRAS.keys() - wanted):
        yield f"Added by the Entra admin centre and harmless: {', '.join(extras)} (delegated)."


def _unseen(seen: Seen) -> Iterator[str]:
    for name in sorted(seen.refused - {parts.BOT, parts.STANDING}):
        yield f"The {name}: Entra refused (insufficient privileges)."
    if parts.BOT in seen.refused | seen.gone:
        yield "Who owns it: Entra does not tell the bot which service principal is its own."


def _asked(application: Json) -> set[tuple[str, str, str]]:
    return {
        (resource["resourceAppId"], each["id"], each["type"])
        for resource in application.get("requiredResourceAccess", ())
        for each in resource["resourceAccess"]
    }


def _scopes_for_all(plan: Plan, grants: Iterable[Json]) -> set[str]:
    return {
        scope
        for each in grants
        if _is_graph(plan, each) and each["consentType"] == "AllPrincipals"
        for scope in (each["scope"] or "").split()
    }


def _is_graph(plan: Plan, grant: Json) -> bool:
    return bool(grant["resourceId"] == plan.resource_id)


def _is_blocked(thing: Json) -> bool:
    """learn.microsoft.com/graph/api/resources/application: null, NotDisabled, or a reason."""
    return thing.get("disabledByMicrosoftStatus") not in (None, "NotDisabled")


def _what(expected: Expected, id: str, kind: str) -> str:
    return f"{expected.name(id)} ({'application' if kind == Kind.ROLE else 'delegated'})"


def _of(resource: str) -> str:
    return "" if resource == MICROSOFT_GRAPH else f" of the API {resource}"


def _named(credential: Json) -> str:
    return f" “{credential['displayName']}”" if credential.get("displayName") else " without a name"


def _ending(credential: Json, now: datetime) -> str:
    end = credential.get("endDateTime")
    if end is None:
        return ""
    verb = "expired on" if datetime.fromisoformat(end) <= now else "works until"
    return f", {verb} {_day(end)}"


def _day(moment: str) -> str:
    return moment[:10]
