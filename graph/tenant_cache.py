"""Facts of the tenant, cached for five minutes.

Organization, permissions and policy change rarely and are the same for every registration, so a
preflight with a fresh cache needs one call only. Concurrent requests cause one read.

The quota of the directory is read along with the organization where it is told. Microsoft documents
`directorySizeQuota` for beta only (learn.microsoft.com/graph/api/resources/directorysizequota; the
right is Organization.Read.All: …/azure/active-directory-b2c/tenant-management-directory-quota).
In v1.0 `organization` is an open type, and scripts in use find the property in v1.0's whole answer.
So the whole object is asked for: a `$select` of a property that v1.0 does not declare might be
refused, and would take the preflight down with it. The limit of 250 objects to one creator is
documented for users without a directory role, not for applications, and cannot be read:
…/entra/identity/role-based-access-control/quickstart-app-registration-limits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from graph.app_policy import POLICY, Policy
from graph.calls import Answer, Json, filled, identifier
from graph.client import Client
from graph.clock import Clock
from graph.errors import Forbidden, NotFound, UnexpectedAnswer
from graph.permissions import MICROSOFT_GRAPH, Kind

T = TypeVar("T")

FRESH = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How many objects the directory holds and may hold. Deleted ones count until purged."""

    ADVICE: ClassVar[str] = (
        "Purge deleted objects in the Entra admin centre, or ask Microsoft for a larger quota."
    )
    NEEDED: ClassVar[int] = 2
    """The objects that a registration adds: an application and its service principal."""
    ALMOST: ClassVar[float] = 0.9
    """The share at which Microsoft advises an alert (the page on B2C named above)."""

    used: int
    total: int

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a registration."""
        return self.total - self.used < self.NEEDED

    @property
    def is_almost_full(self) -> bool:
        return self.used >= self.total * self.ALMOST

    def __str__(self) -> str:
        return f"{self.used} of {self.total} objects"


@dataclass(frozen=True)
class Organization:
    """The tenant itself."""

    id: str
    name: str
    domain: str
    """The primary domain: the one that is `isDefault`."""
    quota: Quota | None = None
    """None where Graph does not tell it."""


@dataclass(frozen=True)
class Resource:
    """Microsoft Graph as this tenant sees it: object id, and permission ids by name and kind."""

    id: str
    ids: dict[tuple[str, Kind], str]


_ORGANIZATION = {
    "id": identifier,
    "displayName": filled,
    "verifiedDomains": [{"name": filled, "isDefault": bool}],
}
_PERMISSION = {"value?": str, "id": identifier, "isEnabled": bool}
_RESOURCE = {
    "id": identifier,
    "appRoles": [_PERMISSION],
    "oauth2PermissionScopes": [_PERMISSION],
}


class _Cached(Generic[T]):
    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: tuple[datetime, T] | None = None

    async def __call__(self) -> T:
        async with self._lock:
            if self._known is None or self._clock.now() - self._known[0] >= FRESH:
                self._known = (self._clock.now(), await self._read())
            return self._known[1]


class TenantCache:
    """Read the tenant through `graph`, each part at most once in five minutes."""

    def __init__(self, *, graph: Client, clock: Clock) -> None:
        self._graph = graph
        self.organization = _Cached(self._read_organization, clock)
        self.resource = _Cached(self._read_resource, clock)
        self.policy = _Cached(self._read_policy, clock)

    async def _read_organization(self) -> Organization:
        answer = await self._graph.send("GET", "/organization")
        tenant = organization_of(answer, (await self._graph.token()).tenant_id)
        answer.check(tenant, _ORGANIZATION)
        primary = [each["name"] for each in tenant["verifiedDomains"] if each["isDefault"]]
        if not primary:
            raise answer.unexpected("no domain is the primary one")
        quota = _quota(tenant.get("directorySizeQuota"))
        return Organization(tenant["id"], tenant["displayName"], primary[0], quota)

    async def _read_resource(self) -> Resource:
        path = f"/servicePrincipals(appId='{MICROSOFT_GRAPH}')"
        resource = await self._graph.get(path, _RESOURCE)
        ids = {
            (each["value"], kind): each["id"]
            for kind, part in ((Kind.ROLE, "appRoles"), (Kind.SCOPE, "oauth2PermissionScopes"))
            for each in resource[part]
            if each["isEnabled"] and each.get("value")
        }
        return Resource(resource["id"], ids)

    async def _read_policy(self) -> Policy:
        """Return `defaultAppManagementPolicy`, or why it is not known."""
        try:
            answer = await self._graph.send("GET", "/policies/defaultAppManagementPolicy")
            return Policy(told=answer.read(POLICY))
        except Forbidden:
            return Policy(why_unread="The bot lacks Policy.Read.All.")
        except NotFound:
            return Policy(why_unread="Entra shows none.")
        except UnexpectedAnswer as error:
            return Policy(why_unread=error.sentence)


def organization_of(answer: Answer, tenant_id: str) -> Json:
    """Return the organization of this tenant, or the only one if the tenant is not known.

    A list may begin with another one. Raises UnexpectedAnswer if it is not there.
    """
    listed: list[Json] = answer.read({"value": [{"id": identifier}]})["value"]
    found = [each for each in listed if each["id"].casefold() == tenant_id.casefold()]
    if not tenant_id and len(listed) == 1:
        found = listed
    if not found:
        raise answer.unexpected("the organization of this tenant is missing")
    return found[0]


def _quota(told: Any) -> Quota | None:
    match told:
        case {"used": int(used), "total": int(total)} if total > 0:
            return Quota(used=used, total=total)
    return None
