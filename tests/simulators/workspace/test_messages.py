"""What stays, what does not, who gets to see it, and what pops up on somebody's phone."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.workspace import Workspace
from tests.support.blocks import actions, error_of, section


async def test_a_message_is_posted_changed_and_deleted(
    workspace: Workspace, client: Client
) -> None:
    channel = workspace.channels["approvals"].id
    posted = await client.chat_postMessage(channel=channel, text="one", blocks=[section("*one*")])
    await client.chat_update(channel=channel, ts=posted["ts"], text="two", blocks=[section("two")])
    [message] = workspace.messages("approvals")
    assert workspace.text_of(message) == "two"
    assert [version["text"] for version in workspace.versions(message)] == ["one", "two"]
    await client.chat_delete(channel=channel, ts=posted["ts"])
    assert workspace.messages("approvals") == []


async def test_blocks_left_out_of_an_update_are_kept(workspace: Workspace, client: Client) -> None:
    channel = workspace.channels["approvals"].id
    posted = await client.chat_postMessage(channel=channel, text="a", blocks=[section("shown")])
    await client.chat_update(channel=channel, ts=posted["ts"], text="b")
    assert workspace.text_of(workspace.messages("approvals")[0]) == "shown"
    await client.chat_update(channel=channel, ts=posted["ts"], text="c", blocks=[])
    assert workspace.text_of(workspace.messages("approvals")[0]) == "c"


async def test_an_ephemeral_message_is_on_one_screen_until_it_is_reloaded_and_may_show_on_a_phone(
    workspace: Workspace, client: Client
) -> None:
    channel, rosa = workspace.channels["general"].id, workspace.people["rosa"].id
    whisper = await client.chat_postEphemeral(channel=channel, user=rosa, text="psst")
    [notice] = workspace.notifications("rosa")
    assert (notice.text, notice.is_ephemeral, notice.channel) == ("psst", True, channel)
    where = {"channel": channel, "ts": whisper["message_ts"]}
    for change in (client.chat_update(**where, text="x"), client.chat_delete(**where)):
        assert await error_of(change) == "message_not_found"
    assert [it["text"] for it in workspace.ephemerals("rosa")] == ["psst"]
    assert workspace.ephemerals("ada") == workspace.messages("general") == []
    workspace.reload("rosa")
    assert workspace.ephemerals("rosa") == []
    workspace.people["rosa"].active = False  # it reaches nobody who is away
    assert (await client.chat_postEphemeral(channel=channel, user=rosa, text="psst"))["ok"]
    assert workspace.ephemerals("rosa") == []


async def test_nothing_to_say_is_refused(workspace: Workspace, client: Client) -> None:
    channel = workspace.channels["general"].id
    with pytest.warns(UserWarning, match="text"):
        assert await error_of(client.chat_postMessage(channel=channel)) == "no_text"
    long = client.chat_postMessage(channel=channel, text="x", blocks=[section("y" * 3001)])
    with pytest.raises(SlackApiError, match="must be less than 3001 characters"):
        await long


async def test_one_person_is_written_to_in_direct_messages(
    workspace: Workspace, client: Client
) -> None:
    rosa, ada = (workspace.people[name].id for name in ("rosa", "ada"))
    opened = await client.conversations_open(users=[rosa])
    im = opened["channel"]["id"]
    again = await client.conversations_open(users=rosa)
    assert again["channel"]["id"] == im
    assert ("no_op" in opened, again["no_op"]) == (False, True)
    workspace.installation.scopes.add("mpim:write")
    assert await error_of(client.conversations_open(users=[rosa, ada])) == "user_not_found"
    await client.chat_postMessage(channel=im, text="one")
    posted = await client.chat_postMessage(channel=rosa, text="two")
    assert posted["channel"] == im
    assert [it["text"] for it in workspace.messages("rosa")] == ["one", "two"]
    by_person = client.chat_update(channel=rosa, ts=posted["ts"], text="three")
    assert await error_of(by_person) == "channel_not_found"


async def test_what_others_wrote_is_theirs(workspace: Workspace, client: Client) -> None:
    theirs = await workspace.mention("ada", "hello")
    where = {"channel": theirs["channel"], "ts": theirs["ts"]}
    assert await error_of(client.chat_update(**where, text="x")) == "cant_update_message"
    assert await error_of(client.chat_delete(**where)) == "cant_delete_message"


async def test_a_long_update_is_refused(workspace: Workspace, client: Client) -> None:
    channel = workspace.channels["general"].id
    posted = await client.chat_postMessage(channel=channel, text="x", blocks=[actions("Go")])
    update = client.chat_update(channel=channel, ts=posted["ts"], text="x" * 4001)
    assert await error_of(update) == "msg_too_long"


async def test_metadata_survives_an_update(workspace: Workspace, client: Client) -> None:
    channel = workspace.channels["general"].id
    metadata = {"event_type": "made", "event_payload": {"id": "1"}}
    posted = await client.chat_postMessage(channel=channel, text="x", metadata=metadata)
    await client.chat_update(channel=channel, ts=posted["ts"], text="y")
    [message] = workspace.messages("general")
    assert message["metadata"] == metadata


async def test_long_text_is_cut(workspace: Workspace, client: Client) -> None:
    await client.chat_postMessage(channel=workspace.channels["general"].id, text="x" * 40_001)
    assert len(workspace.messages("general")[0]["text"]) == 40_000


async def test_an_archived_channel_takes_nothing(workspace: Workspace, client: Client) -> None:
    workspace.channels["general"].archived = True
    post = client.chat_postMessage(channel="#general", text="x")
    assert await error_of(post) == "is_archived"


def texts(workspace: Workspace, person: str) -> list[str]:
    return [it.text for it in workspace.notifications(person)]


async def test_direct_messages_notify_by_their_text(workspace: Workspace, client: Client) -> None:
    rosa = workspace.people["rosa"].id
    posted = await client.chat_postMessage(channel=rosa, text="*ready*", blocks=[section("more")])
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="changed", blocks=[])
    mute = {"channel": rosa, "blocks": [section("only blocks")]}
    await client.api_call("chat.postMessage", json=mute)  # the SDK's own method would warn
    assert texts(workspace, "rosa") == ["ready", "This content can't be displayed."]
    assert texts(workspace, "ada") == []


async def test_channels_notify_those_who_are_named(workspace: Workspace, client: Client) -> None:
    channel = workspace.channels["approvals"].id
    group = workspace.groups["directory-admins"].id
    ada = workspace.people["ada"].id
    await client.chat_postMessage(channel=channel, text="nobody")
    await client.chat_postMessage(channel=channel, text="one", blocks=[section(f"<@{ada}>")])
    await client.chat_postMessage(channel=channel, text=f"for <!subteam^{group}>")
    await client.chat_postMessage(channel=channel, text="<!here> all")
    assert texts(workspace, "ada") == ["one", "for @directory-admins", "@here all"]
    assert texts(workspace, "grace") == ["for @directory-admins", "@here all"]
    assert texts(workspace, "ben") == ["@here all"]
    assert texts(workspace, "rosa") == []


async def test_answers_hang_on_a_message_and_notify_those_in_the_thread(
    workspace: Workspace, client: Client
) -> None:
    asked = await workspace.mention("ben", "status")
    where = {"channel": asked["channel"], "thread_ts": asked["ts"]}
    await client.chat_postMessage(**where, text="it stands well")
    assert [it["text"] for it in workspace.replies(asked)] == ["it stands well"]
    assert texts(workspace, "ben") == ["it stands well"]
    assert texts(workspace, "rosa") == []
