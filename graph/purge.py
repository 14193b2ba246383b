"""Entra's bin: what was deleted is kept there for 30 days, unless it is deleted for good before.

That cannot be taken back, so only the object is deleted whose id Entra itself gave when this
program made it, and only if nothing that the bin shows of it says otherwise.
learn.microsoft.com/graph/api/directory-deleteditems-delete; it names no right of its own for an
application: the one that deletes it does, …/graph/permissions-reference.
"""

from contextlib import suppress
from datetime import datetime

from graph.client import Json
from graph.errors import NotFound, NotOurs, NotThereYet, Restored
from graph.site import Site

_BURIED = {"appId?": str, "uniqueName?": str, "createdByAppId?": str, "tags?": [str]}


async def purge(
    site: Site, *, step: str, object_id: str, app_id: str, deleted_at: datetime
) -> bool:
    """Delete for good what this step had made. False if Entra no longer had it.

    Raises GraphError, NotOurs if it is not what the registration made, and Restored if an
    application is not in the bin because it is in use again.
    """
    path = f"/directory/deletedItems/{object_id}"
    try:
        # What was deleted a moment ago is not seen in the bin at once.
        found = await site.settle(lambda: site.graph.send("GET", path), written=deleted_at)
    except NotThereYet:
        if step == "application":
            await _check_is_gone(site, object_id)
        return False
    _check_is_ours(site, found.read(_BURIED), step=step, app_id=app_id)
    with suppress(NotFound):  # by a try whose answer was lost
        await site.settle(lambda: site.graph.send("DELETE", path), written=deleted_at)
    return True


async def _check_is_gone(site: Site, object_id: str) -> None:
    path = f"/applications/{object_id}"
    with suppress(NotThereYet):
        await site.graph.send("GET", path, query={"$select": "id"})
        raise Restored(call="GET /applications/…")


def _check_is_ours(site: Site, found: Json, *, step: str, app_id: str) -> None:
    """The bin does not promise to show everything: what it shows must fit."""
    wanted: Json = {"appId": app_id}
    if step == "application":
        wanted |= {"uniqueName": site.plan.key, "createdByAppId": site.bot_client_id}
        if not set(site.plan.tags) <= set(found.get("tags") or ()):
            raise _not_ours()
    if any(found.get(name) not in (None, value) for name, value in wanted.items()):
        raise _not_ours()


def _not_ours() -> NotOurs:
    return NotOurs(
        call="GET /directory/deletedItems/…",
        sentence="What Entra keeps under this id does not carry the registration's marks.",
        advice="Nothing was deleted for good. Look at it in the Entra admin centre, under"
        " Deleted applications.",
    )
