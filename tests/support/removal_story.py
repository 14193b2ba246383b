"""Revoking and purging: what users press, and what is left."""

from tests.support.story import Story

PURGED = "Deleted for good, as of"
FOR_EVER = 10_000


async def revoked(story: Story, name: str = "billing", *, by: str = "ada") -> str:
    """Make one that is ready, and revoke it; return its id."""
    id = await story.ready(name)
    await revoke(story, id, by=by)
    return id


async def revoke(story: Story, id: str, *, by: str = "ada") -> None:
    await press(story, id, by=by)
    await story.until(lambda: f"{id} was revoked" in story.card(id))


async def press(story: Story, id: str, button: str = "Revoke", *, by: str = "ada") -> None:
    await story.until(lambda: f"{button}]" in story.card(id))
    await story.confirm(by, button, on=story.card_of(id))


def nothing_is_left(story: Story) -> bool:
    tenant = story.tenant
    return not (tenant.applications or tenant.service_principals or tenant.grants)


async def undo(story: Story, id: str, *, by: str = "ada") -> None:
    await story.workspace.click(by, "Undo", on=story.card_of(id))
    await story.until(lambda: f"{id} was undone" in story.card(id))
