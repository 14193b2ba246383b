"""Authorization codes: `grant_type=authorization_code` at the token endpoint.

learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. A code is of use to its own
client only, once, with the redirect URI and the PKCE verifier of the request that it answers. Where
the real service may let a client try again with the same code, this one does not.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.playground.tenant import scopes, user_tokens
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.logins import CODE_LIFE, Code, Login
from bot.playground.tenant.replicas import Moment
from bot.playground.tenant.tokens import LIFE

GRANT = "authorization_code"
PARAMETERS = ("code", "redirect_uri")


def mint(directory: Directory, code: Code) -> str:
    """Return the text that stands for a code."""
    text = f"1.{base64.urlsafe_b64encode(directory.random.randbytes(384)).decode()}"
    directory.logins.codes[text] = code
    directory.logins.issued.append(text)
    return text


def redeem(
    directory: Directory,
    client: Mapping[str, Any],
    form: Mapping[str, str],
    moment: Moment,
    *,
    proof: str,
) -> Answer:
    """Answer a client that has proved who it is, and by what; raise `SignInFailure`."""
    code = _take(directory, client["appId"], form)
    _check_request(code, form)
    spelled = _scopes(directory, code, form.get("scope"))
    return tokens_for(directory, client, code.login, spelled, form, moment, proof=proof)


def tokens_for(
    directory: Directory,
    client: Mapping[str, Any],
    login: Login,
    spelled: tuple[str, ...],
    form: Mapping[str, str],
    moment: Moment,
    *,
    proof: str,
) -> Answer:
    """Answer with the tokens of a person who has signed in; raise `SignInFailure`."""
    user = _user(directory, login)
    if login.is_blocked:
        raise blocked(error="interaction_required")
    names = _consented(directory, login, spelled, moment)
    access = user_tokens.access_token(
        directory,
        user,
        client,
        scopes=names - {"offline_access"},
        proof=proof,
    )
    life = int(LIFE.total_seconds())
    body: dict[str, Any] = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life}
    body["scope"] = " ".join(_told(directory, spelled, names))
    body["access_token"] = access
    if "openid" in names:
        body["id_token"] = user_tokens.id_token(directory, user, login, scopes=names)
    if "offline_access" in names:
        body["refresh_token"] = _refresh_token(directory)
    if form.get("client_info") == "1":
        body["client_info"] = user_tokens.client_info(directory, user)
    return Answer(status=200, body=body)


def _told(directory: Directory, spelled: tuple[str, ...], names: frozenset[str]) -> list[str]:
    """Return the scopes of the token, spelled as they were asked for if they were."""
    told = {scopes.name_of(directory, each): each for each in spelled}
    told.pop("offline_access", None)
    if told.pop(scopes.DEFAULT, None):
        told |= {name: f"{directory.cloud.graph}/{name}" for name in names if name not in told}
    return sorted(told.values())


def blocked(*, error: str) -> SignInFailure:
    message = (
        "Access has been blocked by Conditional Access policies. The access policy does not allow"
        " token issuance."
    )
    return SignInFailure(400, error, 53003, message)


def disabled() -> SignInFailure:
    return SignInFailure(400, "invalid_grant", 50057, "The user account is disabled.")


def _take(directory: Directory, client_id: str, form: Mapping[str, str]) -> Code:
    """Return the code of that client and spend it, whatever comes of it."""
    held = directory.logins.codes
    code = held.get(form["code"])
    if code is None or code.asked.client_id != client_id:
        message = "The provided authorization code is malformed, or was issued to another client."
        raise SignInFailure(400, "invalid_grant", 70000, message)
    if code.is_spent:
        message = (
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or"
            " use an existing refresh token."
        )
        raise SignInFailure(400, "invalid_grant", 54005, message)
    held[form["code"]] = replace(code, is_spent=True)
    if directory.now() - code.issued_at >= CODE_LIFE:
        message = (
            "The provided authorization code or refresh token has expired due to inactivity. Send a"
            " new interactive authorization request for this user and resource."
        )
        raise SignInFailure(400, "invalid_grant", 70008, message)
    return code


def _check_request(code: Code, form: Mapping[str, str]) -> None:
    asked = code.asked
    if form["redirect_uri"] != asked.redirect_uri:
        message = (
            f"The reply address '{form['redirect_uri']}' does not match the reply address"
            f" '{asked.redirect_uri}' provided when requesting Authorization code."
        )
        raise SignInFailure(401, "invalid_client", 500112, message)
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked.code_challenge:
        message = (
            "The Code_Verifier does not match the code_challenge supplied in the authorization"
            " request."
        )
        raise SignInFailure(400, "invalid_grant", 501481, message)


def _scopes(directory: Directory, code: Code, text: str | None) -> tuple[str, ...]:
    """Return the scopes asked for now, which must have been asked for before."""
    spelled = code.asked.scopes if text is None else scopes.read(directory, text)
    if set(spelled) - set(code.asked.scopes):
        message = (
            f"The provided value for the input parameter 'scope' is not valid. The scope '{text}'"
            " is not what the authorization code was issued for."
        )
        raise SignInFailure(400, "invalid_scope", 70011, message)
    return spelled


def _user(directory: Directory, login: Login) -> dict[str, Any]:
    users = directory.people.users
    user = next((user for user in users if user["id"] == login.user_id), None)
    if user is None or not user["accountEnabled"]:
        raise disabled()
    return user


def _consented(
    directory: Directory, login: Login, spelled: tuple[str, ...], moment: Moment
) -> frozenset[str]:
    try:
        return scopes.granted(directory, login.asked.client_id, login.user_id, spelled, moment)
    except SignInFailure as failure:
        # The token endpoint's own word for it.
        failure.error = "invalid_grant"
        raise


def _refresh_token(directory: Directory) -> str:
    """Return a token that is of no use here, but must be kept as secret as one that is."""
    token = f"1.{base64.urlsafe_b64encode(directory.random.randbytes(384)).decode()}"
    directory.logins.issued.append(token)
    return token
