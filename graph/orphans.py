"""Objects with this program's mark in the tenant: applications by tag, their secrets by name,
service principals that have lost their application, and applications in Entra's bin.

Read-only, and it judges nothing: only storage knows whether a marked object belongs to a
registration. Graph compares whole tags, so all installations are asked for at once.
learn.microsoft.com/graph/api/application-list; the filter: …/graph/aad-advanced-queries; the bin:
…/graph/api/directory-deleteditems-list, which documents no `$filter` by tags that needs no count.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graph.calls import Json, identifier, moment, selection
from graph.client import Client
from graph.errors import NotFound
from graph.plan import tags
from graph.steps import mark

MARK = "aad-setup"
PAGE = 999
KEPT = timedelta(days=30)
"""How long Entra keeps deleted objects before it purges them: …/graph/api/resources/directory."""


@dataclass(frozen=True, kw_only=True)
class HeldSecret:
    """A secret that Entra holds, without its text."""

    key_id: str
    hint: str
    made_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TaggedObject:
    """A marked object of one registration of an installation."""

    id: str
    app_id: str
    name: str
    registration: str


@dataclass(frozen=True, kw_only=True)
class LonePrincipal(TaggedObject):
    """A service principal whose application is gone."""


@dataclass(frozen=True, kw_only=True)
class TaggedApplication(TaggedObject):
    """An application."""

    key: str | None
    """Its `uniqueName`."""
    created_by: str | None
    """The client id of its creator, if Entra knows it."""
    is_complete: bool
    """Whether it carries every tag that this installation gives to that registration."""
    held: tuple[HeldSecret, ...]
    """Its secrets whose names carry the registration's id."""


@dataclass(frozen=True, kw_only=True)
class TaggedApplications:
    """The marked objects found."""

    ours: tuple[TaggedApplication, ...]
    elsewhere: int
    """How many applications carry the mark, but of no registration of this installation."""


@dataclass(frozen=True, kw_only=True)
class DeletedApplication(TaggedObject):
    """A deleted application, until Entra purges it."""

    purged_at: datetime


_ID = {"id": identifier}
_CARRIER = {"id": identifier, "appId": identifier, "displayName?": str, "tags?": [str]}
_APPLICATION = {
    **_CARRIER,
    "uniqueName?": str,
    "createdByAppId?": str,
    "passwordCredentials?": [{"keyId": identifier, "displayName?": str, "hint?": str}],
}


async def find_tagged(graph: Client, *, installation: str, page: int = PAGE) -> TaggedApplications:
    """Return the marked objects. Raises GraphError."""
    query = _marked_only(_APPLICATION, page)
    ours: list[TaggedApplication] = []
    elsewhere = 0
    async for application in graph.pages("/applications", of=_APPLICATION, query=query):
        found = list(_read(application, installation))
        ours += found
        elsewhere += not found
    return TaggedApplications(ours=tuple(ours), elsewhere=elsewhere)


async def find_lone_principals(
    graph: Client, *, installation: str, known: Collection[str], page: int = PAGE
) -> tuple[LonePrincipal, ...]:
    """Return the installation's service principals without an application. Raises GraphError.

    `known` are the client ids of applications that are there: the others are asked for one by one.
    """
    query = _marked_only(_CARRIER, page)
    found = [
        LonePrincipal(**_carrier(principal, registration))
        async for principal in graph.pages("/servicePrincipals", of=_CARRIER, query=query)
        for registration in _registrations(principal, installation)
        if principal["appId"] not in known
    ]
    return tuple(
        [it for it in found if not await _found(graph, f"/applications(appId='{it.app_id}')", _ID)]
    )


async def find_deleted(
    graph: Client, *, installation: str, page: int = PAGE
) -> tuple[DeletedApplication, ...]:
    """Return the installation's deleted applications, the next to be purged first.

    Raises GraphError.
    """
    of = {**_CARRIER, "deletedDateTime": moment}
    query = {"$select": selection(of), "$top": str(page)}
    bin = graph.pages("/directory/deletedItems/microsoft.graph.application", of=of, query=query)
    found = [
        DeletedApplication(
            **_carrier(application, registration),
            purged_at=datetime.fromisoformat(application["deletedDateTime"]) + KEPT,
        )
        async for application in bin
        for registration in _registrations(application, installation)
    ]
    return tuple(sorted(found, key=lambda each: each.purged_at))


async def find_by_id(
    graph: Client, object_id: str, *, registration: str
) -> TaggedApplication | None:
    """Return an application of this registration by its id, whatever its tags are by now.

    None if it is not there. Raises GraphError.
    """
    found = await _found(graph, f"/applications/{object_id}", _APPLICATION)
    return _marked(found, registration, is_complete=False) if found else None


async def principal_of(graph: Client, app_id: str) -> str | None:
    """Return the object id of an application's service principal, if it has one.

    Raises GraphError.
    """
    found = await _found(graph, f"/servicePrincipals(appId='{app_id}')", _ID)
    return str(found["id"]) if found else None


def _marked_only(shape: Json, page: int) -> dict[str, str]:
    tagged = f"tags/any(t:t eq '{MARK}')"
    return {"$filter": tagged, "$select": selection(shape), "$top": str(page)}


async def _found(graph: Client, path: str, shape: Json) -> Json | None:
    try:
        return await graph.get(path, shape)
    except NotFound:
        return None


def _read(application: Json, installation: str) -> Iterator[TaggedApplication]:
    carried = set(application.get("tags") or ())
    for registration in _registrations(application, installation):
        is_complete = carried >= set(tags(installation, registration))
        yield _marked(application, registration, is_complete=is_complete)


def _marked(application: Json, registration: str, *, is_complete: bool) -> TaggedApplication:
    return TaggedApplication(
        **_carrier(application, registration),
        key=application.get("uniqueName"),
        created_by=application.get("createdByAppId"),
        is_complete=is_complete,
        held=tuple(_carrying(application, mark(registration))),
    )


def _carrier(found: Json, registration: str) -> Json:
    """Return the properties of all marked objects."""
    name = found.get("displayName") or ""
    return {"id": found["id"], "app_id": found["appId"], "name": name, "registration": registration}


def _registrations(carrier: Json, installation: str) -> Iterator[str]:
    """Yield the registrations of this installation whose tags it carries.

    A tag may hold any text: characters that no database takes, such as NUL, are replaced.
    """
    prefix = f"{MARK}:{installation}:"
    for tag in sorted(set(carrier.get("tags") or ())):
        if tag.startswith(prefix):
            named = tag.removeprefix(prefix)
            yield "".join(each if each.isprintable() else "\ufffd" for each in named)


def _carrying(application: Json, mark: str) -> Iterator[HeldSecret]:
    for secret in application.get("passwordCredentials") or ():
        if mark in (secret.get("displayName") or ""):
            yield HeldSecret(
                key_id=secret["keyId"],
                hint=secret.get("hint") or "",
                made_at=_moment(secret.get("startDateTime")),
                expires_at=_moment(secret.get("endDateTime")),
            )


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if moment(value) else None
