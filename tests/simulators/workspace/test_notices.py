"""What pops up on somebody's phone."""

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from tests.support.blocks import section


def texts(workspace: Workspace, person: str) -> list[str]:
    return [it.text for it in workspace.notifications(person)]


async def test_direct_messages_notify_by_their_text(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    rosa = workspace.people["rosa"].id
    posted = await client.chat_postMessage(channel=rosa, text="*ready*", blocks=[section("more")])
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="changed", blocks=[])
    mute = {"channel": rosa, "blocks": [section("only blocks")]}
    await client.api_call("chat.postMessage", json=mute)  # the SDK's own method would warn
    assert texts(workspace, "rosa") == ["ready", "This content can't be displayed."]
    assert texts(workspace, "ada") == []


async def test_channels_notify_those_who_are_named(
    workspace: Workspace, client: AsyncWebClient
) -> None:
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


async def test_ephemeral_messages_may_show_on_a_phone(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    channel, rosa = workspace.channels["general"].id, workspace.people["rosa"].id
    await client.chat_postEphemeral(channel=channel, user=rosa, text="psst")
    [notice] = workspace.notifications("rosa")
    assert (notice.text, notice.is_ephemeral, notice.channel) == ("psst", True, channel)


async def test_answers_notify_those_in_the_thread(
    workspace: Workspace, client: AsyncWebClient, app: AsyncApp
) -> None:
    asked = await workspace.mention("ben", "status")
    await client.chat_postMessage(
        channel=asked["channel"], text="it stands well", thread_ts=asked["ts"]
    )
    assert texts(workspace, "ben") == ["it stands well"]
    assert texts(workspace, "rosa") == []
