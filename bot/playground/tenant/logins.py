"""What a person's sign-in carries from the authorization request to the code that answers it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An authorization request that passed all checks which need no person."""

    client_id: str
    redirect_uri: str
    response_mode: str
    """`query` or `form_post`."""
    scopes: tuple[str, ...]
    """As spelled in the request, those of OpenID Connect included."""
    code_challenge: str
    state: str | None
    nonce: str | None
    acrs: tuple[str, ...]
    """The authentication contexts of the `claims` parameter, any of which is good enough."""
    has_client_info: bool
    """Whether it asked for `client_info`, as msal does."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """An authorization code, which its client may redeem once within ten minutes."""

    asked: Asked
    user_id: str
    acrs: tuple[str, ...]
    """The authentication contexts that were asked for and that the person satisfied."""
    is_blocked: bool
    """Whether Conditional Access refuses the redemption."""
    issued_at: datetime
    is_spent: bool = False


@dataclass(kw_only=True)
class Logins:
    """Sign-ins under way."""

    pending: dict[str, Asked] = field(default_factory=dict)
    """The context of a sign-in page → the request that it is for; gone once a person decided."""
    codes: dict[str, Code] = field(default_factory=dict, repr=False)
    issued: list[str] = field(default_factory=list, repr=False)
    """Every code and token ever issued to people."""
