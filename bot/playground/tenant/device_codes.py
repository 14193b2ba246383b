"""Codes for devices at the token endpoint, where their client asks for what came of them.

learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code. A code is of use to its own
client only, once, for 15 minutes, and the client must allow public client flows. That page names no
`slow_down`, of which RFC 8628, 3.5 says when it comes and what follows.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.playground.tenant import codes
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.logins import DEVICE_CODE_LIFE, DeviceCode
from bot.playground.tenant.replicas import Kind, Moment

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PARAMETERS = ("device_code",)
INTERVAL = timedelta(seconds=5)


def redeem(
    directory: Directory,
    client: Mapping[str, Any],
    form: Mapping[str, str],
    moment: Moment,
    *,
    proof: str,
) -> Answer:
    """Answer a public client that asks whether a person has signed in; raise `SignInFailure`."""
    code = _find(directory, client["appId"], form["device_code"])
    _check_pace(directory, code)
    if code.is_declined:
        message = "The user declined the authorization request."
        raise SignInFailure(400, "authorization_declined", 70018, message)
    if code.login is None:
        message = "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
        raise SignInFailure(400, "authorization_pending", 70016, message)
    code.is_spent = True
    spelled = code.asked.scopes
    return codes.tokens_for(directory, client, code.login, spelled, form, moment, proof=proof)


def check_public(directory: Directory, app_id: str, form: Mapping[str, str]) -> None:
    """Raise `SignInFailure` unless the application may do without a credential, and does."""
    application = directory.find(Kind.APPLICATION, appId=app_id)
    if not (application or {}).get("isFallbackPublicClient"):
        raise no_credential()
    if form.get("client_secret") or form.get("client_assertion"):
        message = (
            "Client is public so neither 'client_assertion' nor 'client_secret' should be"
            " presented."
        )
        raise SignInFailure(401, "invalid_client", 700025, message)


def no_credential() -> SignInFailure:
    message = (
        "The request body must contain the following parameter: 'client_assertion' or"
        " 'client_secret'."
    )
    return SignInFailure(401, "invalid_client", 7000218, message)


def _find(directory: Directory, client_id: str, text: str) -> DeviceCode:
    code = directory.logins.device_codes.get(text)
    if code is None or code.asked.client_id != client_id:
        message = "The device_code is not recognized, or was issued to another client."
        raise SignInFailure(400, "bad_verification_code", 70018, message)
    if code.is_spent:
        message = "OAuth2 Authorization code was already redeemed, please retry with a new code."
        raise SignInFailure(400, "invalid_grant", 54005, message)
    if is_over(directory, code):
        message = (
            "The provided value for the input parameter 'device_code' is not valid. This device"
            " code has expired."
        )
        raise SignInFailure(400, "expired_token", 70020, message)
    return code


def _check_pace(directory: Directory, code: DeviceCode) -> None:
    before, code.polled_at = code.polled_at, directory.now()
    if before is not None and code.polled_at - before < code.interval:
        code.interval += INTERVAL
        message = "The device asks too often. Authorization is pending."
        raise SignInFailure(400, "slow_down", 70016, message)


def is_over(directory: Directory, code: DeviceCode) -> bool:
    return directory.now() - code.issued_at >= DEVICE_CODE_LIFE
