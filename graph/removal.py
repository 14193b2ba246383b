"""Remove objects idempotently: an object that is already gone counts as removed.

A 404 has two meanings: the object is gone, or it is so young that the replica that answered does
not know it yet. Entra keeps deleted applications and service principals for 30 days, so one that
is found there is gone. Only a young object that is found nowhere is asked for again, until
replication no longer explains it.
learn.microsoft.com/graph/api/directory-deleteditems-get

A purge deletes an object permanently, which cannot be undone. So only the object is deleted whose
id Entra itself gave when this program made it, and only if nothing that the bin shows of it says
otherwise. learn.microsoft.com/graph/api/directory-deleteditems-delete names no right of its own
for an application: the one that deletes it does, …/graph/permissions-reference.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from graph.calls import Json
from graph.errors import Forbidden, GraphError, NotFound, NotOurs, NotThereYet, Restored
from graph.retry import REPLICATION_TIME
from graph.step_context import StepContext

T = TypeVar("T")

BIN = "/directory/deletedItems"

SURE_LOOKS = 5
"""How often in a row a young object must be found nowhere: not every replica knows the same."""

_BURIED = {"appId?": str, "uniqueName?": str, "createdByAppId?": str, "tags?": [str]}


async def unless_gone(
    context: StepContext,
    object_id: str,
    act: Callable[[], Awaitable[T]],
    *,
    created_at: datetime | None,
) -> T | None:
    """Do `act` with an object, or make sure that it is gone and return None."""

    async def once() -> T | None:
        try:
            return await act()
        except NotFound:
            if await is_gone(context, object_id, created_at=created_at):
                return None
            raise

    return await context.retry_while_young(once, created_at=created_at)


async def is_gone(context: StepContext, object_id: str, *, created_at: datetime | None) -> bool:
    """Whether an object that was answered with 404 is deleted, and not just unknown to a replica.

    `created_at` is None for an object that is not young.
    """
    # Without the right to look into the bin there is no proof either way.
    buried = f"{BIN}/{object_id}"
    return not is_young(context, created_at) or await _is_there(context, buried, Forbidden)


def is_young(context: StepContext, created_at: datetime | None) -> bool:
    """Whether a replica may not know an object of that age yet."""
    return created_at is not None and context.clock.now() < created_at + REPLICATION_TIME


async def _is_there(context: StepContext, path: str, *unseen: type[GraphError]) -> bool:
    with suppress(NotThereYet, *unseen):
        await context.graph.send("GET", path, query={"$select": "id"})
        return True
    return False


async def purge(
    context: StepContext, *, step: str, object_id: str, app_id: str, deleted_at: datetime
) -> bool:
    """Delete the step's object permanently. Return False if Entra no longer had it.

    Raises GraphError, NotOurs if the registration did not make it, and Restored if an
    application is not in the bin because it is in use again.
    """
    path = f"{BIN}/{object_id}"
    used = f"/{'applications' if step == 'application' else 'servicePrincipals'}/{object_id}"
    looks = 0

    async def once() -> bool:
        nonlocal looks
        try:
            found = await context.graph.send("GET", path)
            _check_is_ours(context, found.read(_BURIED), step=step, app_id=app_id)
            await context.graph.send("DELETE", path)
        except NotThereYet:
            # Deleted a moment ago it may not be in the bin yet, but then it is still seen in use.
            looks = 0 if await _is_there(context, used) else looks + 1
            if is_young(context, deleted_at) and looks < SURE_LOOKS:
                raise
            if looks == 0 and step == "application":
                raise Restored(call="GET /applications/…") from None
            return False
        return True

    return await context.retry_while_young(once, created_at=deleted_at)


def _check_is_ours(context: StepContext, found: Json, *, step: str, app_id: str) -> None:
    """Raise NotOurs unless the tags are there, and each other property fits that the bin shows.

    It does not promise to show every one. A service principal has the tags of its application.
    """
    wanted: Json = {"appId": app_id}
    if step == "application":
        wanted |= {"uniqueName": context.plan.key, "createdByAppId": context.bot_client_id}
    is_marked = set(context.plan.tags) <= set(found.get("tags") or ())
    shown = {name: found[name] for name in wanted if found.get(name) is not None}
    if not is_marked or any(shown[name].casefold() != wanted[name].casefold() for name in shown):
        raise NotOurs(
            call="GET /directory/deletedItems/…",
            sentence="What Entra keeps under this id does not carry the registration's marks.",
            advice="Nothing was deleted for good. Look at it in the Entra admin centre, under"
            " Deleted applications.",
        )
