"""What a person's sign-in carries from an application's request to the code that answers it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=10)
DEVICE_CODE_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that passed all checks which need no person."""

    client_id: str
    scopes: tuple[str, ...]
    """As spelled in the request, those of OpenID Connect included."""
    acrs: tuple[str, ...]
    """The authentication contexts of the `claims` parameter, any of which is good enough."""
    nonce: str | None = None


@dataclass(frozen=True, kw_only=True)
class AskedByBrowser(Asked):
    """A request to the authorization endpoint."""

    redirect_uri: str
    response_mode: str
    """`query` or `form_post`."""
    code_challenge: str
    state: str | None
    has_client_info: bool
    """Whether it asked for `client_info`, as msal does."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who has signed in, and what for."""

    asked: Asked
    user_id: str
    acrs: tuple[str, ...]
    """The authentication contexts that were asked for and that the person satisfied."""
    is_blocked: bool
    """Whether Conditional Access refuses the redemption."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """An authorization code, which its client may redeem once within ten minutes."""

    asked: AskedByBrowser
    login: Login
    issued_at: datetime
    is_spent: bool = False


@dataclass(kw_only=True)
class DeviceCode:
    """A code for a device, which waits until a person enters its other half on a page."""

    asked: Asked
    user_code: str
    issued_at: datetime
    interval: timedelta
    """How long its client waits between two requests for the token."""
    polled_at: datetime | None = None
    login: Login | None = None
    is_declined: bool = False
    is_spent: bool = False


@dataclass(kw_only=True)
class Logins:
    """Sign-ins under way."""

    pending: dict[str, AskedByBrowser | DeviceCode] = field(default_factory=dict)
    """The context of a sign-in page → what it is for; gone once a person decided."""
    codes: dict[str, Code] = field(default_factory=dict, repr=False)
    device_codes: dict[str, DeviceCode] = field(default_factory=dict, repr=False)
    issued: list[str] = field(default_factory=list, repr=False)
    """Every code and token ever issued to people; not what they type, which they see."""
