"""Codes for devices before the token: `/devicecode` hands one out, and people enter it on a page.

learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code. The page there names no `claims`,
which msal sends to ask for an authentication context.
"""

import base64
from collections.abc import Mapping

from bot.playground.tenant import pages, scopes
from bot.playground.tenant.authorize import application_of, contexts, required
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.device_codes import INTERVAL, is_over
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.logins import DEVICE_CODE_LIFE, Asked, DeviceCode
from bot.playground.tenant.replicas import Moment

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def ask(directory: Directory, form: Mapping[str, str], moment: Moment) -> Answer:
    """Answer a client's request for a code; raise `SignInFailure`."""
    application_of(directory, form, moment)
    asked = Asked(
        client_id=form["client_id"],
        scopes=scopes.read(directory, form.get("scope")),
        acrs=contexts(form.get("claims")),
    )
    user_code = "".join(directory.random.choice(_LETTERS) for _ in range(9))
    text = base64.urlsafe_b64encode(directory.random.randbytes(120)).decode()
    directory.logins.issued.append(text)
    directory.logins.device_codes[text] = DeviceCode(
        asked=asked, user_code=user_code, issued_at=directory.now(), interval=INTERVAL
    )
    page = f"{directory.url}/{directory.id}/oauth2/deviceauth"
    message = f"To sign in, open the page {page} and enter the code {user_code} to authenticate."
    body = {
        "user_code": user_code,
        "device_code": text,
        "verification_uri": page,
        "expires_in": int(DEVICE_CODE_LIFE.total_seconds()),
        "interval": int(INTERVAL.total_seconds()),
        "message": message,
    }
    return Answer(status=200, body=body)


def enter(directory: Directory, form: Mapping[str, str]) -> Answer:
    """Show a person who has entered a code the sign-in page. Raises `SignInFailure`."""
    entered = required(form, "otc").strip().upper()
    for code in directory.logins.device_codes.values():
        is_open = code.login is None and not code.is_declined and not is_over(directory, code)
        if code.user_code == entered and is_open:
            context = directory.new_id()
            directory.logins.pending[context] = code
            return pages.sign_in(directory, context, hint="")
    message = "That code didn't work. Check the code and try again."
    raise SignInFailure(400, "bad_verification_code", 70018, message)
