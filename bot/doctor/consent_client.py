"""Checks of the consent client, at which approvers sign in: with CONSENT_MODE=signed-in only."""

from collections.abc import AsyncIterator

from bot.doctor.findings import Finding, doubt, well, wrong
from bot.settings.consent_client import ApproverSignIns
from graph.connection import Connection
from graph.errors import NotFound, SignInFailed

NAME = "Consent client"
SETUP = "SETUP.md, Sign-in of approvers, says how it is set up."
_APPLICATION = {"web": {"redirectUris": [str]}}
_PRINCIPAL = {"appRoleAssignmentRequired": bool}


async def check_consent_client(
    settings: ApproverSignIns | None, tenant: Connection
) -> AsyncIterator[Finding]:
    """Yield whether approvers could sign in there, and whether others could, too.

    Raises GraphError.
    """
    if settings is None:
        return
    client = settings.consent_client
    try:
        token = await tenant.sign_in.token(client.client_id, client.client_secret)
        application = await tenant.graph.get(
            f"/applications(appId='{client.client_id}')", _APPLICATION
        )
        principal = await tenant.graph.get(
            f"/servicePrincipals(appId='{client.client_id}')", _PRINCIPAL
        )
    except (SignInFailed, NotFound) as error:
        yield wrong(f"{NAME}: {error.sentence}", error.advice)
        return
    yield well(f"{NAME}: CONSENT_CLIENT_ID and CONSENT_CLIENT_SECRET are right.")
    if token.roles:
        said = f"{NAME}: its secret alone can use {', '.join(sorted(token.roles))}."
        yield doubt(said, "Remove its application permissions.")
    if client.redirect_uri not in application["web"]["redirectUris"]:
        yield wrong(f"{NAME}: it lacks the redirect URI {client.redirect_uri}.", SETUP)
    if not principal["appRoleAssignmentRequired"]:
        yield doubt(f"{NAME}: everybody in the tenant can sign in there.", SETUP)
