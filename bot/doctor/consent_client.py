"""Checks of the consent client, at which approvers sign in: with CONSENT_MODE=signed-in only."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from bot.doctor.findings import Finding, doubt, well, wrong
from bot.own_credential import NEW_CONSENT_SECRET
from bot.settings.consent_client import ApproverSignIns
from graph.calls import Json
from graph.connection import Connection, secret_ends, stage_of
from graph.errors import NotFound, SignInFailed

NAME = "Consent client"
SETUP = "SETUP.md, Sign-in of approvers, says how it is set up."
CODES = "Remove the setting unless approvers cannot open PUBLIC_URL."
_PLATFORM = {"redirectUris": [str]}
_APPLICATION = {
    "web": _PLATFORM,
    "spa?": _PLATFORM,
    "publicClient?": _PLATFORM,
    "isFallbackPublicClient?": bool,
}
_PRINCIPAL = {"appRoleAssignmentRequired": bool}


async def check_consent_client(
    settings: ApproverSignIns | None, tenant: Connection, now: datetime
) -> AsyncIterator[Finding]:
    """Yield whether approvers could sign in there, and whether others could, too.

    Raises GraphError.
    """
    if settings is None:
        return
    client = settings.consent_client
    at = f"(appId='{client.client_id}')"
    try:
        token = await tenant.sign_in.token(client.client_id, client.client_secret)
        application = await tenant.graph.get(f"/applications{at}", _APPLICATION)
        principal = await tenant.graph.get(f"/servicePrincipals{at}", _PRINCIPAL)
    except (SignInFailed, NotFound) as error:
        yield wrong(f"{NAME}: {error.sentence}", error.advice)
        return
    yield well(f"{NAME}: CONSENT_CLIENT_ID and CONSENT_CLIENT_SECRET are right.")
    if token.roles:
        said = f"{NAME}: its secret alone can use {', '.join(sorted(token.roles))}."
        yield doubt(said, "Remove its application permissions.")
    if settings.with_codes:
        said = f"{NAME}: with CONSENT_DEVICE_CODE=yes approvers may sign in with a code, which is"
        yield doubt(f"{said} bound to no browser and so a weaker way.", CODES)
    for problem in _ways_out(application, settings):
        yield wrong(f"{NAME}: {problem}", SETUP)
    if not principal["appRoleAssignmentRequired"]:
        advice = "Set “Assignment required?” to “Yes” (Enterprise applications, Properties)."
        yield doubt(f"{NAME}: everybody in the tenant can sign in there.", advice)
    end = await secret_ends(tenant.graph, client.client_id, client.client_secret)
    if end is not None and stage_of(end, now):
        yield doubt(f"{NAME}: CONSENT_CLIENT_SECRET ends on {end.date()}.", NEW_CONSENT_SECRET)


def _ways_out(application: Json, settings: ApproverSignIns) -> Iterator[str]:
    """Yield where else than to the bot a sign-in could lead, and if it does not lead there."""
    redirect_uri = settings.consent_client.redirect_uri
    web = application["web"]["redirectUris"]
    other = [application.get(name) or {"redirectUris": []} for name in ("spa", "publicClient")]
    if redirect_uri not in web:
        yield f"it lacks the redirect URI {redirect_uri} of the platform Web."
    extra = [uri for uri in web if uri != redirect_uri]
    for uri in (*extra, *(uri for each in other for uri in each["redirectUris"])):
        yield f"it must not have the redirect URI {uri} (of any platform)."
    is_public = bool(application.get("isFallbackPublicClient"))
    if is_public and not settings.with_codes:
        yield "it allows public client flows, which take no secret."
    if settings.with_codes and not is_public:
        yield "it does not allow public client flows, which CONSENT_DEVICE_CODE=yes takes."
