"""User groups: who is in them, from one minute to the next, and whether an app may know."""

from functools import partial

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import CannotAct, Workspace
from tests.support.blocks import error_of
from tests.support.small_bot import connected


async def test_members_come_and_go(workspace: Workspace, client: AsyncWebClient) -> None:
    group = workspace.add_group("admins", "ada", "ben")
    assert await members(client, group.id) == ids(workspace, "ada", "ben")
    group.members.append(workspace.people["grace"].id)
    workspace.deactivate("ben")
    assert await members(client, group.id) == ids(workspace, "ada", "grace")
    assert group.members == ids(workspace, "ada", "grace")
    assert workspace.groups["admins"] is workspace.groups[group.id] is group


async def test_a_deleted_group_is_not_found(workspace: Workspace, client: AsyncWebClient) -> None:
    group = workspace.groups["directory-admins"]
    group.disabled = True
    for id in (group.id, "S0"):
        asked = client.usergroups_users_list(usergroup=id)
        assert await error_of(asked) == "no_such_subteam"


async def test_some_groups_cannot_be_read(workspace: Workspace, client: AsyncWebClient) -> None:
    group = workspace.groups["directory-admins"]
    group.unreadable = True
    asked = partial(client.usergroups_users_list, usergroup=group.id)
    assert await error_of(asked()) == "internal_error"
    workspace.groups.available = False
    assert await error_of(asked()) == "plan_upgrade_required"
    workspace.installation.scopes.discard("usergroups:read")
    assert await error_of(asked()) == "missing_scope"


async def test_a_group_is_mentioned_by_its_handle(workspace: Workspace, app: AsyncApp) -> None:
    heard: list[str] = []

    @app.command("/aad-setup")
    async def command(ack: AsyncAck, command: dict[str, str]) -> None:
        heard.append(command["text"])
        await ack(f"asking <!subteam^{workspace.groups['directory-admins'].id}>")

    async with connected(app, workspace):
        reply = await workspace.command("rosa", "for @directory-admins")
    group = workspace.groups["directory-admins"]
    assert heard == [f"for <!subteam^{group.id}|@directory-admins>"]
    assert reply.text == "asking @directory-admins"
    with pytest.raises(CannotAct, match="already a group"):
        workspace.add_group("directory-admins")
    with pytest.raises(CannotAct, match="no group called 'nobody'"):
        workspace.groups["nobody"]


async def members(client: AsyncWebClient, group: str) -> list[str]:
    found: list[str] = (await client.usergroups_users_list(usergroup=group))["users"]
    return found


def ids(workspace: Workspace, *names: str) -> list[str]:
    return [workspace.people[name].id for name in names]
