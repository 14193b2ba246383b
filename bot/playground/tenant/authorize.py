"""The authorization endpoint: what an application asks for before a person signs in.

learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. What makes it unsafe to send
the browser back, an unknown application or a redirect URI that is not registered, is told on the
service's own page; all else goes to the redirect URI. PKCE is optional there and required here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from bot.playground.tenant import pages, scopes, sign_in
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.logins import AskedByBrowser
from bot.playground.tenant.pages import Return
from bot.playground.tenant.replicas import Kind, Moment

MODES = ("query", "form_post")
_PROMPTS = ("login", "select_account", "none", "consent")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url, without padding."""
_CONTEXT = re.compile(r"c([1-9]|[1-9][0-9])")
"""The ids that an authentication context can have."""


def ask(directory: Directory, query: Mapping[str, str], moment: Moment, trace: str) -> Answer:
    """Answer with the sign-in page, or with a refusal at the redirect URI.

    Raises `SignInFailure` for what is not told there.
    """
    application = application_of(directory, query, moment)
    redirect_uri = _redirect_uri(application, query.get("redirect_uri"))
    mode = query.get("response_mode") or "query"
    back = Return(
        redirect_uri=redirect_uri,
        mode=mode if mode in MODES else "query",
        state=query.get("state"),
    )
    try:
        asked = _asked(directory, query, back, mode)
    except SignInFailure as failure:
        return pages.refused(directory, back, failure, trace)
    context = directory.new_id()
    directory.logins.pending[context] = asked
    return pages.sign_in(directory, context, hint=query.get("login_hint", ""))


def application_of(
    directory: Directory, query: Mapping[str, str], moment: Moment
) -> dict[str, Any]:
    """Return the application that is to be signed in to. Raises `SignInFailure`."""
    client_id = required(query, "client_id")
    principal = sign_in.principal_of(directory, client_id, moment)
    if not principal["accountEnabled"]:
        message = f"Application '{client_id}' is disabled."
        raise SignInFailure(400, "unauthorized_client", 7000112, message)
    rows = directory.store.all_seen(Kind.APPLICATION, moment)
    return next(row for row in rows if row["appId"] == client_id)


def _redirect_uri(application: Mapping[str, Any], wanted: str | None) -> str:
    registered = application["web"]["redirectUris"]
    if not registered:
        message = "No reply address is registered for the application."
        raise SignInFailure(400, "invalid_request", 500113, message)
    if not wanted:
        raise SignInFailure(400, "invalid_request", 900971, "No reply address provided.")
    if wanted not in registered:
        message = (
            f"The redirect URI '{wanted}' specified in the request does not match the redirect URIs"
            f" configured for the application '{application['appId']}'. Make sure the redirect URI"
            " sent in the request matches one added to your application in the Azure portal."
        )
        raise SignInFailure(400, "invalid_request", 50011, message)
    return wanted


def _asked(
    directory: Directory, query: Mapping[str, str], back: Return, mode: str
) -> AskedByBrowser:
    if (kind := required(query, "response_type")) != "code":
        message = f"response_type '{kind}' is not enabled for the application."
        raise SignInFailure(400, "unsupported_response_type", 700054, message)
    if mode not in MODES:
        raise _unsupported("response_mode", mode)
    challenge = _challenge(query)
    spelled = scopes.read(directory, query.get("scope"))
    acrs = contexts(query.get("claims"))
    _check_prompt(query)
    return AskedByBrowser(
        client_id=query["client_id"],
        redirect_uri=back.redirect_uri,
        response_mode=back.mode,
        scopes=spelled,
        code_challenge=challenge,
        state=back.state,
        nonce=query.get("nonce"),
        acrs=acrs,
        has_client_info=query.get("client_info") == "1",
    )


def required(given: Mapping[str, str], name: str) -> str:
    """Return a parameter, or raise the `SignInFailure` that it is missing."""
    if not given.get(name):
        message = f"The request body must contain the following parameter: '{name}'."
        raise SignInFailure(400, "invalid_request", 900144, message)
    return given[name]


def _unsupported(name: str, value: str) -> SignInFailure:
    message = f"Unsupported '{name}' value '{value}'."
    return SignInFailure(400, "invalid_request", 90023, message)


def _challenge(query: Mapping[str, str]) -> str:
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if not challenge:
        message = "The size of the code challenge parameter isn't valid."
        raise SignInFailure(400, "invalid_request", 50147, message)
    if method != "S256":
        message = "Invalid Code_Challenge_method parameter."
        raise SignInFailure(400, "invalid_request", 50149, message)
    if not _CHALLENGE.fullmatch(challenge):
        message = "Invalid size of Code_Challenge parameter."
        raise SignInFailure(400, "invalid_request", 501491, message)
    return challenge


def _check_prompt(query: Mapping[str, str]) -> None:
    prompt = query.get("prompt")
    if prompt is not None and prompt not in _PROMPTS:
        raise _unsupported("prompt", prompt)
    if prompt == "none":
        message = "A silent sign-in request was sent but no user is signed in."
        raise SignInFailure(400, "login_required", 50058, message)
    if prompt == "consent":
        # Nobody consents on this tenant's page.
        message = f"The user or administrator has not consented to use '{query['client_id']}'."
        raise SignInFailure(400, "consent_required", 65001, message)


def contexts(claims: str | None) -> tuple[str, ...]:
    """Return the authentication contexts that the ID token is to name.

    `{"id_token": {"acrs": {"essential": true, "value": "c1"}}}`, or `values` with a list.
    """
    if not claims:
        return ()
    try:
        wanted = json.loads(claims)
        acrs = wanted.get("id_token", {}).get("acrs")
        if acrs is None:
            return ()
        values = acrs["values"] if "values" in acrs else [acrs["value"]]
        if all(_CONTEXT.fullmatch(each) for each in values):
            return tuple(values)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        pass
    message = "The 'claims' parameter of the request is malformed or invalid."
    raise SignInFailure(400, "invalid_request", 9002313, message)
