"""What people can do in Slack, and what the app hears of it."""

import pytest
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.workspace import CannotAct, Workspace
from tests.support.blocks import actions, choice, section
from tests.support.small_bot import Recorder


async def test_names_in_a_command_arrive_as_ids(workspace: Workspace, bot: Recorder) -> None:
    bot.answer = {"text": "hello", "response_type": "in_channel"}
    ada, general = workspace.people["ada"].id, workspace.channels["general"].id
    reply = await workspace.command("rosa", "for @ada in #general & @nobody")
    assert bot.heard[0]["text"] == f"for <@{ada}|ada> in <#{general}|general> &amp; @nobody"
    assert bot.heard[0]["channel_name"] == "general"
    assert reply.text == "hello"
    assert [it["text"] for it in workspace.messages("general")] == ["hello"]


async def test_a_command_in_direct_messages_says_so(workspace: Workspace, bot: Recorder) -> None:
    await workspace.command("rosa", channel="rosa")
    await workspace.command("ada", channel="approvals")
    assert [it["channel_name"] for it in bot.heard] == ["directmessage", "privategroup"]


@pytest.mark.parametrize("name", ["ext", "dora"])
async def test_outsiders_have_no_commands(workspace: Workspace, name: str) -> None:
    workspace.channels["partners"].members.add(workspace.people[name].id)
    with pytest.raises(CannotAct, match="cannot use commands"):
        await workspace.command(name, channel="partners")


async def test_one_must_be_in_a_channel_to_speak_there(workspace: Workspace) -> None:
    with pytest.raises(CannotAct, match="rosa is not in approvals"):
        await workspace.command("rosa", channel="approvals")
    with pytest.raises(CannotAct, match="no person called 'zoe'"):
        await workspace.mention("zoe", "hello")
    workspace.add_person("zoe", "Zoe New", is_restricted=True)
    assert (await workspace.mention("zoe", "hello"))["user"] == workspace.people["zoe"].id


async def test_mentions_reach_the_app_where_it_is(workspace: Workspace, bot: Recorder) -> None:
    await workspace.mention("ada", "status", channel="random")
    asked = await workspace.mention("ada", "status", channel="general")
    await workspace.mention("rosa", "me too", thread=asked)
    await workspace.mention("ext", "hello", channel="partners")
    events = [it["event"] for it in bot.heard]
    assert [event["text"].partition(" ")[2] for event in events] == ["status", "me too", "hello"]
    assert events[1]["thread_ts"] == asked["ts"]
    assert events[2]["user_team"] == workspace.people["ext"].team_id != workspace.team_id
    assert [it["is_ext_shared_channel"] for it in bot.heard] == [False, False, True]


async def test_one_clicks_only_what_one_sees(workspace: Workspace, bot: Recorder) -> None:
    channel = workspace.channels["approvals"].id
    await bot.client.chat_postMessage(channel=channel, text="x", blocks=[actions("Go")])
    [card] = workspace.messages("approvals")
    with pytest.raises(CannotAct, match="rosa sees no 'Go'"):
        await workspace.click("rosa", "Go", on=card)
    with pytest.raises(CannotAct, match="ada sees no 'Stop' to click; there is \\['Go'\\]"):
        await workspace.click("ada", "Stop", on=card)
    await bot.client.chat_update(channel=channel, ts=card["ts"], text="x", blocks=[])
    with pytest.raises(CannotAct):
        await workspace.click("ada", "Go", on=card)
    assert bot.heard == []


async def test_the_newest_button_is_meant_unless_another_is_named(
    workspace: Workspace, client: Client, bot: Recorder
) -> None:
    channel = workspace.channels["approvals"].id
    for text in ("older", "newer"):
        await client.chat_postMessage(channel=channel, text=text, blocks=[actions("Go")])
    await workspace.click("ada", "Go")
    await workspace.click("ada", "go", on=workspace.messages("approvals")[0])
    assert [it["message"]["text"] for it in bot.heard] == ["newer", "older"]


async def test_an_overflow_menu_is_clicked_by_its_choices(
    workspace: Workspace, bot: Recorder
) -> None:
    block = {**section("x"), "accessory": choice("overflow", "One", "Two")}
    await bot.client.chat_postMessage(channel="#general", text="x", blocks=[block])
    await workspace.click("rosa", "Two")
    assert bot.heard[0]["actions"][0]["selected_option"]["value"] == "two"


async def test_an_unknown_command_is_no_command(workspace: Workspace) -> None:
    with pytest.raises(CannotAct, match="not a valid command"):
        await workspace.command("rosa", command="/other")
