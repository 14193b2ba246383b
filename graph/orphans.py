"""What carries this program's mark in the tenant: applications by tag, their secrets by name.

Reading only, and it judges nothing: whether something that carries a mark belongs to anybody is
known by storage alone. Graph compares whole tags, so all installations are asked for at once.
learn.microsoft.com/graph/api/application-list; the filter: …/graph/aad-advanced-queries
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.client import Client, Json
from graph.preflight import tags
from graph.secret import mark

MARK = "aad-setup"
PAGE = 999
FIELDS = "id,appId,displayName,uniqueName,tags,createdByAppId,passwordCredentials"


@dataclass(frozen=True, kw_only=True)
class Marked:
    """An application with the tag of one registration of an installation."""

    id: str
    app_id: str
    name: str
    key: str | None
    """Its `uniqueName`."""
    created_by: str | None
    """The client id of whoever made it, if Entra knows."""
    registration: str
    is_complete: bool
    """Whether it carries every tag that this installation gives to that registration."""
    secrets: tuple[str, ...]
    """The key ids of its secrets whose names carry the registration's id."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What was found."""

    ours: tuple[Marked, ...]
    elsewhere: int
    """How many applications carry the mark, but of no registration of this installation."""


async def marked(graph: Client, *, installation: str, page: int = PAGE) -> Marks:
    """Return what carries the mark. Raises GraphError."""
    query = {"$filter": f"tags/any(t:t eq '{MARK}')", "$select": FIELDS, "$top": str(page)}
    ours: list[Marked] = []
    elsewhere = 0
    async for application in graph.pages("/applications", query=query):
        found = list(_read(application, installation))
        ours += found
        elsewhere += not found
    return Marks(ours=tuple(ours), elsewhere=elsewhere)


def _read(application: Json, installation: str) -> Iterator[Marked]:
    prefix = f"{MARK}:{installation}:"
    carried = set(application["tags"])
    for tag in sorted(carried):
        if tag.startswith(prefix):
            registration = tag.removeprefix(prefix)
            yield Marked(
                id=application["id"],
                app_id=application["appId"],
                name=application["displayName"],
                key=application.get("uniqueName"),
                created_by=application.get("createdByAppId"),
                registration=registration,
                is_complete=carried >= set(tags(installation, registration)),
                secrets=tuple(_carrying(application, mark(registration))),
            )


def _carrying(application: Json, mark: str) -> Iterator[str]:
    for secret in application["passwordCredentials"]:
        if mark in (secret.get("displayName") or ""):
            yield secret["keyId"]
