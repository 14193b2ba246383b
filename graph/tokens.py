"""Access tokens and where a client gets them."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token. `roles` and `expires_at` are read from it to diagnose, never to authorize.

    Graph's tokens are officially opaque: learn.microsoft.com/entra/identity-platform/access-tokens
    """

    access: str = field(repr=False)
    roles: frozenset[str]
    expires_at: datetime


class TokenSource(Protocol):
    """Where a client gets its token."""

    async def token(self) -> Token:
        """Return a token that should be accepted."""

    async def fresh(self, stale: Token) -> Token:
        """Return a newer token than the one that was not accepted, or that same one."""


class OneToken:
    """A token that is never replaced: whoever holds it decides when to get another."""

    def __init__(self, token: Token) -> None:
        self._token = token

    async def token(self) -> Token:
        return self._token

    async def fresh(self, stale: Token) -> Token:
        return stale


def read_token(access: str) -> Token | None:
    """Read what a token says of itself, without checking its signature; None if it says nothing."""
    claims = _claims(access)
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        return Token(access=access, roles=frozenset(claims.get("roles", ())), expires_at=expires_at)
    except (KeyError, TypeError):
        return None


def _claims(access: str) -> dict[str, Any]:
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
