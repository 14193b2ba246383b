"""Remove objects idempotently: an object that is already gone counts as removed.

A 404 has two meanings: the object is gone, or it is so young that the replica that answered does
not know it yet. Entra keeps deleted applications and service principals for 30 days, so one that
is found there is gone. Only a young object that is found nowhere is asked for again, until
replication no longer explains it.
learn.microsoft.com/graph/api/directory-deleteditems-get
"""

from datetime import datetime

from graph.errors import Forbidden, NotFound, NotThereYet
from graph.retry import REPLICATION_TIME
from graph.step_context import StepContext


async def delete(
    context: StepContext, path: str, object_id: str, *, created_at: datetime | None
) -> bool:
    """Delete the object and make sure. False if it was gone already."""

    async def once() -> bool:
        try:
            await context.graph.send("DELETE", path)
        except NotFound:
            if not await is_gone(context, object_id, created_at=created_at):
                raise
            return False
        return True

    return await context.retry_while_young(once, created_at=created_at)


async def is_gone(context: StepContext, object_id: str, *, created_at: datetime | None) -> bool:
    """Whether an object that was answered with 404 is deleted, and not just unknown to a replica.

    `created_at` is None for an object that is not young.
    """
    return not is_young(context, created_at) or await _is_deleted(context, object_id)


def is_young(context: StepContext, created_at: datetime | None) -> bool:
    """Whether a replica may not know an object of that age yet."""
    return created_at is not None and context.clock.now() < created_at + REPLICATION_TIME


async def _is_deleted(context: StepContext, object_id: str) -> bool:
    path = f"/directory/deletedItems/{object_id}"
    try:
        await context.graph.send("GET", path, query={"$select": "id"})
    except (NotThereYet, Forbidden):  # without the right to look there is no proof either way
        return False
    return True
