"""The application and its service principal: existence, owners, settings, credentials."""

from collections.abc import Iterator
from datetime import datetime

from graph.application import LONGEST_NOTES
from graph.calls import Json
from graph.drift import snapshot as parts
from graph.drift.permissions import Expected, Leftover, Loss
from graph.drift.snapshot import Snapshot
from graph.plan import Plan
from graph.steps import mark

_PLATFORMS = ("web", "spa", "publicClient")
_IMPLICIT = {"enableAccessTokenIssuance": "access", "enableIdTokenIssuance": "ID"}


def gone(seen: Snapshot) -> Iterator[str]:
    # With the application goes its service principal: that is one thing that happened, not two.
    for name in (parts.APPLICATION, parts.PRINCIPAL):
        if name not in seen.gone:
            continue
        at = seen.deleted_at.get(name)
        kept = "Entra keeps it for 30 days: it can be restored until then"
        fate = f"was deleted on {_day(at)}. {kept}" if at else "is gone from the tenant for good"
        yield Loss(f"The {name} {fate}. The connector cannot sign in.")
        if name == parts.APPLICATION:
            return


def remade(seen: Snapshot) -> Iterator[str]:
    if seen.remade is not None:
        yield (
            "The service principal was deleted and made again by hand (object id"
            f" {seen.remade}). Grants do not come back by themselves."
        )


def settings(expected: Expected, application: Json) -> Iterator[str]:
    plan = expected.plan
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


def openings(_: Expected, application: Json) -> Iterator[str]:
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


def marks(expected: Expected, application: Json) -> Iterator[str]:
    """Yield changes of the properties by which people and the bot know the application."""
    plan = expected.plan
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


def sign_in(_: Expected, principal: Json) -> Iterator[str]:
    if not principal["accountEnabled"] or principal.get("isDisabled") or _is_blocked(principal):
        yield Loss("Sign-in is disabled for the service principal. The connector cannot sign in.")
    for each in (*principal["passwordCredentials"], *principal["keyCredentials"]):
        yield f"A credential was added to the service principal by hand{_named(each)}."


def owners(seen: Snapshot, part: str) -> Iterator[str]:
    held = seen.items(part)
    if held is None or parts.BOT not in seen.parts:
        return
    owned = "the application" if part == parts.OWNERS else "the service principal"
    bot = seen.parts[parts.BOT]["id"]
    for each in sorted(held, key=lambda owner: str(owner["id"])):
        if each["id"] != bot:
            yield f"An owner was added to {owned}: {each.get('displayName') or each['id']}."
    if seen.must_own and bot not in {each["id"] for each in held}:
        yield f"This bot no longer owns {owned}, so it can neither renew nor undo."


def _is_blocked(thing: Json) -> bool:
    """learn.microsoft.com/graph/api/resources/application: null, NotDisabled, or a reason."""
    return thing.get("disabledByMicrosoftStatus") not in (None, "NotDisabled")


def secrets(expected: Expected, application: Json) -> Iterator[str]:
    held = {each["keyId"]: each for each in application["passwordCredentials"]}
    for key_id in sorted(expected.secrets.keys() - held.keys()):
        yield Loss(
            f"The secret is gone (key id {key_id}). The connector can no longer sign in with it."
        )
    for key_id, end in sorted(expected.secrets.items()):
        if key_id in held and end <= expected.now:
            yield Loss(f"The secret expired on {end.date()} (key id {key_id}).")
    for key_id in sorted(held.keys() - expected.secrets.keys() - expected.closing):
        yield _foreign_secret(expected, held[key_id])
    for each in application["keyCredentials"]:
        yield f"A certificate was added by hand{_named(each)}{_ending(each, expected.now)}."


def _foreign_secret(expected: Expected, secret: Json) -> str:
    details = f"{_named(secret)}, key id {secret['keyId']}{_ending(secret, expected.now)}"
    if mark(expected.plan.registration) in (secret.get("displayName") or ""):
        return Leftover(
            f"A secret carries this registration's id and is not known: a leftover{details}."
        )
    return f"A secret was added by hand{details}."


def federated(_: Expected, credentials: Json) -> Iterator[str]:
    """Yield every one: the bot makes none, and each lets others sign in without a secret."""
    for each in credentials["value"]:
        yield (
            f"A federated credential was added by hand (“{each['name']}”): {each['issuer']} lets"
            f" “{_subject(each)}” sign in as this application, without a secret."
        )


def _subject(credential: Json) -> str:
    """Return the subject that it lets in; a flexible one has an expression instead (beta)."""
    expression = (credential.get("claimsMatchingExpression") or {}).get("value")
    return str(credential.get("subject") or expression or "anybody")


def waiting(expected: Expected, application: Json | None) -> Iterator[str]:
    held = application["passwordCredentials"] if application else ()
    for each in held:
        if each["keyId"] in expected.closing:
            yield (
                f"A secret of ours{_named(each)} is closed and waits for its removal"
                f" (key id {each['keyId']})."
            )


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
