"""What Slack says of people: flags, time zones, other companies, groups, and who has left."""

from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, error_of
from tests.support.small_bot import Recorder


async def asked(workspace: Workspace, client: Client, name: str) -> Json:
    user: Json = (await client.users_info(user=workspace.people[name].id))["user"]
    return user


@pytest.mark.parametrize(
    "flag", ["is_invited_user", "is_app_user", "is_admin", "is_owner", "is_primary_owner", "is_bot"]
)
async def test_every_flag_is_told(workspace: Workspace, client: Client, flag: str) -> None:
    assert not (await asked(workspace, client, "ben")).get(flag)
    setattr(workspace.people["ben"], flag, True)
    assert (await asked(workspace, client, "ben"))[flag] is True


async def test_people_live_in_time_zones(
    workspace: Workspace, client: Client, clock: MovableClock
) -> None:
    grace = await asked(workspace, client, "grace")
    offset = clock.now().astimezone(ZoneInfo("America/New_York"))
    assert grace["tz"] == "America/New_York"
    assert timedelta(seconds=grace["tz_offset"]) == offset.utcoffset()
    assert grace["profile"]["display_name"] == "grace"
    assert grace["profile"]["real_name"] == grace["real_name"] == "Grace Hopper"


async def test_a_deactivated_account_says_little(workspace: Workspace, client: Client) -> None:
    dora = await asked(workspace, client, "dora")
    assert dora["deleted"] is True
    assert not {"tz", "is_admin", "is_restricted", "real_name"} & set(dora)


async def test_some_people_cannot_be_seen(workspace: Workspace, client: Client) -> None:
    workspace.people["ben"].hidden = True
    info = client.users_info(user=workspace.people["ben"].id)
    assert await error_of(info) == "user_not_visible"
    opened = client.conversations_open(users=workspace.people["ben"].id)
    assert await error_of(opened) == "user_not_visible"


async def test_slackbot_says_that_it_is_no_bot(workspace: Workspace, client: Client) -> None:
    slackbot = (await client.users_info(user="USLACKBOT"))["user"]
    assert slackbot["is_bot"] is False
    app = (await client.users_info(user=workspace.bot_user_id))["user"]
    assert app["is_bot"] is True
    assert app["profile"]["api_app_id"] == workspace.api_app_id


async def test_a_bot_tells_its_app(workspace: Workspace, client: Client) -> None:
    bot = (await client.bots_info(bot=workspace.installation.bot_id))["bot"]
    assert (bot["app_id"], bot["user_id"]) == (workspace.api_app_id, workspace.bot_user_id)


async def test_an_external_in_a_shared_channel_is_no_stranger(
    workspace: Workspace, client: Client
) -> None:
    met = await asked(workspace, client, "ext")
    assert met["team_id"] != workspace.team_id
    assert "is_stranger" not in met
    assert "is_restricted" not in met
    assert (await asked(workspace, client, "stan"))["is_stranger"] is True
    assert (await client.conversations_open(users=workspace.people["ext"].id))["ok"]


async def test_a_channel_with_an_external_in_it_is_shared(
    workspace: Workspace, client: Client, bot: Recorder
) -> None:
    workspace.installation.scopes.add("groups:read")
    zed = workspace.add_external("zed", "Zed Moss", channels=["approvals"])
    approvals = workspace.channels["approvals"].id
    assert (await client.conversations_info(channel=approvals))["channel"]["is_ext_shared"] is True
    assert zed.is_stranger is False
    assert workspace.add_external("far", "Far Away", channels=["random"]).is_stranger is True
    await client.chat_postMessage(channel=approvals, text="x", blocks=[actions("Go")])
    await workspace.click("zed", "Go")
    [click] = bot.heard
    assert click["user"]["team_id"] == zed.team_id
    assert click["team"]["id"] == workspace.team_id


async def test_who_has_left_can_do_nothing(workspace: Workspace, client: Client) -> None:
    workspace.deactivate("rosa")
    for act in (workspace.command("rosa"), workspace.mention("rosa", "status")):
        with pytest.raises(CannotAct, match="rosa is not in general"):
            await act
    assert (await asked(workspace, client, "rosa"))["deleted"] is True
    post = client.chat_postMessage(channel=workspace.people["rosa"].id, text="x")
    assert await error_of(post) == "channel_not_found"


async def test_members_come_and_go(workspace: Workspace, client: Client) -> None:
    group = workspace.add_group("admins", "ada", "ben")
    assert await members(client, group.id) == ids(workspace, "ada", "ben")
    group.members.append(workspace.people["grace"].id)
    workspace.deactivate("ben")
    assert await members(client, group.id) == ids(workspace, "ada", "grace")
    assert group.members == ids(workspace, "ada", "grace")
    assert workspace.groups["admins"] is workspace.groups[group.id] is group


async def test_some_groups_cannot_be_read(workspace: Workspace, client: Client) -> None:
    group = workspace.groups["directory-admins"]
    asked = partial(client.usergroups_users_list, usergroup=group.id)
    group.disabled = True
    assert await error_of(asked()) == "no_such_subteam"
    group.disabled, group.unreadable = False, True
    assert await error_of(asked()) == "internal_error"
    workspace.groups.available = False
    assert await error_of(asked()) == "plan_upgrade_required"


async def test_a_group_is_mentioned_by_its_handle(workspace: Workspace, bot: Recorder) -> None:
    group = workspace.groups["directory-admins"]
    bot.answer = f"asking <!subteam^{group.id}>"
    reply = await workspace.command("rosa", "for @directory-admins")
    assert bot.heard[0]["text"] == f"for <!subteam^{group.id}|@directory-admins>"
    assert reply.text == "asking @directory-admins"
    with pytest.raises(CannotAct, match="already a group"):
        workspace.add_group("directory-admins")
    with pytest.raises(CannotAct, match="no group called 'nobody'"):
        workspace.groups["nobody"]


async def members(client: Client, group: str) -> list[str]:
    found: list[str] = (await client.usergroups_users_list(usergroup=group))["users"]
    return found


def ids(workspace: Workspace, *names: str) -> list[str]:
    return [workspace.people[name].id for name in names]
