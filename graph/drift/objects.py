"""The application and its service principal: existence, owners, settings."""

from collections.abc import Iterator

from graph.application import LONGEST_NOTES
from graph.calls import Json
from graph.drift import snapshot as parts
from graph.drift.credentials import day, named
from graph.drift.expected import Loss
from graph.drift.snapshot import Snapshot
from graph.plan import Plan

_PLATFORMS = ("web", "spa", "publicClient")
_IMPLICIT = {"enableAccessTokenIssuance": "access", "enableIdTokenIssuance": "ID"}


def gone(seen: Snapshot) -> Iterator[str]:
    # With the application goes its service principal: that is one thing that happened, not two.
    for name in (parts.APPLICATION, parts.PRINCIPAL):
        if name not in seen.gone:
            continue
        if at := seen.deleted_at.get(name):
            yield Loss(
                f"The {name} was deleted on {day(at)}. Entra keeps it for 30 days: it can be"
                " restored until then. The connector cannot sign in."
            )
        else:
            yield Loss(
                f"The {name} is gone from the tenant for good. The connector cannot sign in."
            )
        if name == parts.APPLICATION:
            return


def remade(seen: Snapshot) -> Iterator[str]:
    if seen.remade is not None:
        yield (
            "The service principal was deleted and made again by hand (object id"
            f" {seen.remade}). Grants do not come back by themselves."
        )


def settings(plan: Plan, application: Json) -> Iterator[str]:
    if application.get("isDisabled") or _is_blocked(application):
        yield Loss("The application is disabled. The connector cannot sign in.")
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
    yield from (Loss(f"The redirect URL was removed: {uri}") for uri in sorted(wanted - found))


def openings(application: Json) -> Iterator[str]:
    """Yield settings that let others sign in through it or use it as an API. The bot sets none."""
    if application.get("isFallbackPublicClient"):
        yield (
            "Public client flows were allowed: anybody can sign in through the application without"
            " its secret."
        )
    implicit = (application.get("web") or {}).get("implicitGrantSettings") or {}
    for name, tokens in _IMPLICIT.items():
        if implicit.get(name):
            yield f"The implicit grant was enabled: {tokens} tokens are issued to browsers."
    for uri in sorted(application["identifierUris"]):
        yield f"An application ID URI was added: {uri}"
    for role in application["appRoles"]:
        title = role.get("displayName") or ""
        yield f"An app role was added: “{title}” ({role.get('value') or role['id']})."
    api = application.get("api") or {}
    for scope in api.get("oauth2PermissionScopes") or ():
        asked_for = scope.get("value") or scope["id"]
        yield f"A scope was added that other applications can ask for: {asked_for}"
    for client in api.get("preAuthorizedApplications") or ():
        yield (
            "A client application was pre-authorized, so that no user is asked for consent:"
            f" {client['appId']}"
        )


def marks(plan: Plan, application: Json) -> Iterator[str]:
    """Yield changes of the properties by which people and the bot know the application."""
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


def sign_in(principal: Json) -> Iterator[str]:
    if not principal["accountEnabled"] or principal.get("isDisabled") or _is_blocked(principal):
        yield Loss("Sign-in is disabled for the service principal. The connector cannot sign in.")
    for each in (*principal["passwordCredentials"], *principal["keyCredentials"]):
        yield f"A credential was added to the service principal by hand{named(each)}."


def owners(seen: Snapshot, part: str, owned: str) -> Iterator[str]:
    held = seen.items(part)
    if held is None or parts.BOT not in seen.parts:
        return
    bot = seen.parts[parts.BOT]["id"]
    for each in sorted(held, key=lambda owner: str(owner["id"])):
        if each["id"] != bot:
            yield f"An owner was added to {owned}: {each.get('displayName') or each['id']}."
    if seen.must_own and bot not in {each["id"] for each in held}:
        yield f"This bot no longer owns {owned}, so it can neither renew nor undo."


def _is_blocked(thing: Json) -> bool:
    """learn.microsoft.com/graph/api/resources/application: null, NotDisabled, or a reason."""
    return thing.get("disabledByMicrosoftStatus") not in (None, "NotDisabled")
