"""Registrations that are compared with the tenant, and administrators who change it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from tests.support.graph_caller import Asking, asking
from tests.support.story import Story

ADMINISTRATOR = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",  # adding an owner takes reading what is referred to
)


SETTLED = timedelta(minutes=16)
"""After this, nothing that differs can be the bot's own write on its way."""


class Hand(NamedTuple):
    """An administrator at work in the tenant, on what one registration has made."""

    graph: Asking
    application: dict[str, Any]
    principal: dict[str, Any]

    async def change(self, **body: Any) -> None:
        done = await self.graph.patch(f"/applications/{self.application['id']}", body)
        assert done.status_code == 204, done.text

    async def disable(self) -> None:
        path = f"/servicePrincipals/{self.principal['id']}"
        assert (await self.graph.patch(path, {"accountEnabled": False})).status_code == 204

    async def delete(self, path: str) -> None:
        assert (await self.graph.delete(path)).status_code == 204


@asynccontextmanager
async def by_hand(story: Story) -> AsyncIterator[Hand]:
    [application] = story.tenant.applications_named("billing")
    [principal] = story.tenant.service_principals
    credential = story.tenant.add_administrator(ADMINISTRATOR)
    async with asking(story.tenant, credential) as graph:
        yield Hand(graph, application, principal)


async def settled(story: Story) -> str:
    """Return the id of a registration that was made a while ago, its first sweep over."""
    id = await story.ready()
    story.clock.move(SETTLED)
    await story.until(lambda: True)
    return id


def report(story: Story, id: str, person: str = "rosa") -> str:
    """Return the newest report of a check in somebody's direct messages."""
    found = [story.workspace.text_of(each) for each in story.workspace.messages(person)]
    return next((each for each in reversed(found) if f"check {id} looks again" in each), "")


def somebody(story: Story) -> AbstractAsyncContextManager[Asking]:
    """Sign in an administrator of the tenant, whose requests are not ours."""
    return asking(story.tenant, story.tenant.add_administrator(ADMINISTRATOR))
