"""What the bot knows of the tenant, remembered for five minutes.

Organization, permissions and policy change rarely and are the same for every registration, so a
preflight with fresh knowledge needs one call only. Many who ask at once cause one read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from graph.client import Client, Json
from graph.clock import Clock
from graph.errors import Forbidden, NotFound
from graph.permissions import MICROSOFT_GRAPH, Kind

T = TypeVar("T")

FRESH = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Organization:
    """The tenant itself."""

    id: str
    name: str
    domain: str
    """The primary domain: the one that is `isDefault`."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Microsoft Graph as this tenant sees it: object id, and permission ids by name and kind."""

    id: str
    ids: dict[tuple[str, Kind], str]


class _Remembered(Generic[T]):
    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: tuple[datetime, T] | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._known is None or self._clock.now() - self._known[0] >= FRESH:
                self._known = (self._clock.now(), await self._read())
            return self._known[1]


class Knowledge:
    """Reads the tenant through `graph`, at most once in five minutes for each thing."""

    def __init__(self, *, graph: Client, clock: Clock) -> None:
        self._graph = graph
        self._organization = _Remembered(self._read_organization, clock)
        self._resource = _Remembered(self._read_resource, clock)
        self._policy = _Remembered(self._read_policy, clock)

    async def organization(self) -> Organization:
        return await self._organization.get()

    async def resource(self) -> Resource:
        return await self._resource.get()

    async def policy(self) -> Json | None:
        """Return `defaultAppManagementPolicy`, or None if the bot may not read it."""
        return await self._policy.get()

    async def _read_organization(self) -> Organization:
        answer = await self._graph.send(
            "GET", "/organization", query={"$select": "id,displayName,verifiedDomains"}
        )
        tenant = answer.body["value"][0]
        domains = tenant["verifiedDomains"]
        return Organization(
            id=tenant["id"],
            name=tenant["displayName"],
            domain=next(each["name"] for each in domains if each["isDefault"]),
        )

    async def _read_resource(self) -> Resource:
        answer = await self._graph.send(
            "GET",
            f"/servicePrincipals(appId='{MICROSOFT_GRAPH}')",
            query={"$select": "id,appRoles,oauth2PermissionScopes"},
        )
        return Resource(
            id=answer.body["id"],
            ids={
                **_ids(answer.body["appRoles"], Kind.ROLE),
                **_ids(answer.body["oauth2PermissionScopes"], Kind.SCOPE),
            },
        )

    async def _read_policy(self) -> Json | None:
        try:
            answer = await self._graph.send("GET", "/policies/defaultAppManagementPolicy")
        except (Forbidden, NotFound):
            return None
        return answer.body


def _ids(published: list[Json], kind: Kind) -> dict[tuple[str, Kind], str]:
    return {(each["value"], kind): each["id"] for each in published if each["isEnabled"]}
