"""What an attacker or an old client could send: buttons that the bot is not showing there."""

from typing import Any

from bot.playground.workspace import Workspace
from tests.support.blocks import button
from tests.support.small_bot import client_of
from tests.support.story import Story

Json = dict[str, Any]


async def forged_button(
    workspace: Workspace, action: str, value: str, *, channel: str = "general"
) -> Json:
    """Post a message with this button where everybody sees it, and return the message."""
    if workspace.people["ada"].id not in workspace.channels[channel].members:
        raise LookupError(channel)
    ts = await _forge(workspace, "chat.postMessage", action, value, channel=channel)
    return next(it for it in workspace.messages(channel) if it["ts"] == ts)


async def forged_whisper(
    workspace: Workspace, action: str, value: str, *, to: str, channel: str = "general"
) -> Json:
    """Show a message with this button to one person alone, and return the message."""
    user = workspace.people[to].id
    await _forge(workspace, "chat.postEphemeral", action, value, channel=channel, user=user)
    return workspace.ephemerals(to)[-1]


async def forged_click(story: Story, person: str, action: str, value: str) -> str:
    """Let a person press such a button, and return what they alone are told then."""
    forged = await forged_button(story.workspace, action, value)
    return await story.answer_to(person, action, on=forged)


async def _forge(
    workspace: Workspace, method: str, action: str, value: str, *, channel: str, **more: str
) -> str:
    """Post it with the bot's token, and return the message's ts."""
    row = {"type": "actions", "elements": [button(action, action_id=action, value=value)]}
    body = {"channel": workspace.channels[channel].id, "text": "forged", "blocks": [row], **more}
    async with client_of(workspace) as client:
        posted = await client.api_call(method, json=body)
    return str(posted.get("ts") or posted["message_ts"])
