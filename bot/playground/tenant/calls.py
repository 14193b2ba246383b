"""What goes through the tenant: a request from a caller, an answer, and the line in the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from bot.playground.tenant.errors import bad_request
from bot.playground.tenant.replicas import Moment
from bot.playground.tenant.urls import Target

Json = dict[str, Any]
Traffic = Literal["graph", "batched", "token", "discovery", "browser", "resource manager"]
"""`batched` calls came inside a `$batch`, which is a `graph` call of its own."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whoever holds the access token: an application alone, or on behalf of a signed-in user."""

    app_id: str
    principal_id: str
    """Object id of the application's service principal, or of the user."""
    roles: frozenset[str]
    """The application permissions that its token was issued with; none on behalf of a user."""
    scopes: frozenset[str] = frozenset()
    """The delegated permissions; none for an application alone."""
    directory_roles: frozenset[str] = frozenset()
    """Template ids of the user's roles, in the token and still held; none for an application."""

    @property
    def is_user(self) -> bool:
        return bool(self.directory_roles)

    @property
    def permissions(self) -> frozenset[str]:
        return self.scopes if self.is_user else self.roles


@dataclass(frozen=True, kw_only=True)
class Request:
    """One Graph request, read and authenticated, also one inside a `$batch`."""

    method: str
    path: str
    """As asked for, below `/v1.0`."""
    target: Target
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: object
    """The parsed JSON, or None where there was none."""
    caller: Caller
    moment: Moment

    @property
    def json(self) -> Json:
        """The body, which must be a JSON object."""
        if self.body is None:
            raise bad_request("Empty Payload. JSON content expected.", code="BadRequest")
        if not isinstance(self.body, dict):
            raise bad_request("A JSON object was expected in the request.", code="BadRequest")
        return self.body

    @property
    def creates_if_missing(self) -> bool:
        preferences = self.headers.get("Prefer", "").lower().split(",")
        return "create-if-missing" in [preference.strip() for preference in preferences]

    @property
    def eventual(self) -> bool:
        """Whether the caller accepts advanced queries: `ConsistencyLevel: eventual`."""
        return self.headers.get("ConsistencyLevel", "").lower() == "eventual"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back: JSON, or text where something between caller and tenant has failed."""

    status: int
    body: Json | None = field(default=None, repr=False)
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def error_code(self) -> str | None:
        error = (self.body or {}).get("error")
        if isinstance(error, dict):
            return str(error.get("code"))
        if isinstance(error, str) and self.body:
            return "AADSTS" + str(self.body.get("error_codes", [0])[0])
        return None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as the tenant remembers it. Secrets in it are masked; answers are not kept."""

    at: datetime
    kind: Traffic
    method: str
    path: str
    query: Mapping[str, str]
    status: int
    """What the tenant answered, arrived or not; 0 where a fault cut the connection instead."""
    caller_app_id: str | None
    body: object = field(repr=False)
    error_code: str | None
    request_id: str
    user_agent: str = ""
    """How the caller's program names itself: the only thing that tells two programs apart which
    sign in as the same application."""
    seconds: float = 0.0
    """Real time from the request to its answer, without what `hold` adds after the effect."""
