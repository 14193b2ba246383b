"""Access tokens and their sources."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from graph.calls import misfit


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token. `roles` and `expires_at` are read from it to diagnose, never to authorize.

    Graph's tokens are officially opaque: learn.microsoft.com/entra/identity-platform/access-tokens
    """

    access: str = field(repr=False)
    roles: frozenset[str]
    expires_at: datetime
    tenant_id: str = ""
    """The tenant that it was issued by; empty if it does not say so."""
    lifetime: timedelta = timedelta(hours=1)
    """How long it is valid from when it was issued, as the token endpoint said."""


class TokenSource(Protocol):
    """The source of a client's tokens."""

    async def token(self) -> Token:
        """Return a token that should be accepted."""

    async def fresh(self, stale: Token) -> Token:
        """Return a newer token than the one that was not accepted, or that same one."""


@dataclass(frozen=True)
class OneToken:
    """A token that is never replaced: its holder decides when to get another."""

    held: Token

    async def token(self) -> Token:
        return self.held

    async def fresh(self, stale: Token) -> Token:
        return stale


def read_token(access: str) -> Token | None:
    """Return a token's claims without checking its signature, or None if they cannot be read."""
    claims = _claims(access)
    if misfit(claims, {"exp": int | float, "roles?": [str], "tid?": str}):
        return None
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return Token(
        access=access,
        roles=frozenset(claims.get("roles") or ()),
        expires_at=expires_at,
        tenant_id=claims.get("tid") or "",
    )


def _claims(access: str) -> dict[str, Any]:
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
