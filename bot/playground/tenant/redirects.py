"""Redirect URIs as Entra accepts them.

Rules: learn.microsoft.com/en-us/entra/identity-platform/reply-url: absolute, https, plain http for
localhost only, at most 256 characters, no wildcards, no fragment, none of `! $ ' ( ) , ;`.
"""

from urllib.parse import urlsplit

from bot.playground.tenant.errors import bad_request

LONGEST = 256
_LOCAL = {"localhost", "127.0.0.1"}  # [::1] is not supported, says the same page
_UNSUPPORTED = set("!$'(),;*")


def redirect_uri(name: str, value: object) -> None:
    if not isinstance(value, str) or not _acceptable(value):
        raise bad_request(
            "One or more property values specified are invalid.",
            details=[
                {
                    "code": "InvalidRedirectUri",
                    "message": "Must be an absolute https URI, or http with localhost.",
                    "target": name,
                }
            ],
        )


def _acceptable(value: str) -> bool:
    if len(value) > LONGEST or _UNSUPPORTED & set(value) or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return False
    if not host or parts.fragment or parts.username or " " in value:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)
