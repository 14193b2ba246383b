"""Direct messages with the app, and commands where it is not."""

import pytest
from slack_bolt.async_app import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.manifest import manifest
from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import error_of
from tests.support.small_bot import Recorder


def subscribe(workspace: Workspace) -> None:
    workspace.installation.scopes.add("im:history")
    workspace.installation.events.add("message.im")


async def test_the_app_is_told_of_its_own_messages_too(
    workspace: Workspace, client: Client, bot: Recorder
) -> None:
    subscribe(workspace)
    await workspace.message_im("rosa", "hello")
    im = told(workspace)[0]["channel"]
    posted = await client.chat_postMessage(channel=im, text="hi")
    await workspace.until(lambda: len(told(workspace)) == 2)
    await client.chat_update(channel=im, ts=posted["ts"], text="hi there")
    await workspace.until(lambda: len(told(workspace)) == 3)
    await client.chat_delete(channel=im, ts=posted["ts"])
    await workspace.until(lambda: len(told(workspace)) == 4)
    theirs, mine, changed, deleted = told(workspace)
    assert "bot_id" not in theirs
    assert (theirs["text"], theirs["channel_type"]) == ("hello", "im")
    assert (mine["bot_id"], mine["channel_type"]) == (workspace.installation.bot_id, "im")
    assert (changed["subtype"], deleted["subtype"]) == ("message_changed", "message_deleted")
    assert changed["message"]["text"] == "hi there"
    assert not {"user", "bot_id"} & set(changed)
    assert [body["event"] for body in bot.heard] == [theirs]  # Bolt leaves out the app's own
    assert workspace.unacked == []


def told(workspace: Workspace) -> list[Json]:
    """Return the events that were delivered."""
    return [it.sent["payload"]["event"] for it in workspace.log if it.what == "events_api"]


@pytest.mark.parametrize("lacking", ["scope", "event"])
async def test_the_app_hears_what_it_may_and_wants_to(
    workspace: Workspace, bot: Recorder, lacking: str
) -> None:
    subscribe(workspace)
    if lacking == "scope":
        workspace.installation.scopes.discard("im:history")
    else:
        workspace.installation.events.discard("message.im")
    await workspace.message_im("rosa", "hello")
    assert bot.heard == []


async def test_nobody_writes_to_an_app_that_only_tells(
    workspace: Workspace, client: Client
) -> None:
    workspace.installation.messages_tab_read_only = True
    with pytest.raises(CannotAct, match="turned off"):
        await workspace.message_im("rosa", "hello")
    assert (await client.chat_postMessage(channel=workspace.people["rosa"].id, text="x"))["ok"]
    workspace.installation.messages_tab_enabled = False
    post = client.chat_postMessage(channel=workspace.people["rosa"].id, text="x")
    assert await error_of(post) == "messages_tab_disabled"
    im = workspace.channel("rosa").id
    whisper = client.chat_postEphemeral(channel=im, user=workspace.people["rosa"].id, text="x")
    assert await error_of(whisper) == "messages_tab_disabled"


async def test_the_manifest_decides_what_an_app_is(workspace: Workspace) -> None:
    wanted = manifest()
    home = wanted["features"]["app_home"]
    workspace.installation.follow(wanted)
    assert workspace.installation.messages_tab_read_only is home["messages_tab_read_only_enabled"]
    assert workspace.installation.commands == {"/aad-setup"}
    assert workspace.installation.scopes == set(wanted["oauth_config"]["scopes"]["bot"])


async def test_a_command_works_where_the_app_is_not(workspace: Workspace, bot: Recorder) -> None:
    channel, bot.answer = workspace.channel("random"), "one"
    await workspace.command("rosa", channel=channel)
    [command] = bot.heard
    await AsyncRespond(response_url=command["response_url"])("two")
    assert {it["text"] for it in workspace.ephemerals("rosa", channel)} == {"one", "two"}
    post = bot.client.chat_postMessage(channel=command["channel_id"], text="x")
    assert await error_of(post) == "not_in_channel"
    whisper = bot.client.chat_postEphemeral(
        channel=channel.id, user=workspace.people["rosa"].id, text="x"
    )
    assert await error_of(whisper) == "not_in_channel"
    assert command["channel_name"] == "random"
