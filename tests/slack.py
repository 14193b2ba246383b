"""What an attacker or an old client could send: buttons that the bot is not showing there."""

from typing import Any

import aiohttp

from bot.playground.workspace import Workspace

Json = dict[str, Any]


async def forged_button(
    workspace: Workspace, action: str, value: str, *, channel: str = "general"
) -> Json:
    """Post a message with this button where everybody sees it, and return the message."""
    button = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": action},
        "value": value,
    }
    blocks = [{"type": "actions", "elements": [button]}]
    if workspace.people["ada"].id not in workspace.channels[channel].members:
        raise LookupError(channel)
    body = {"channel": workspace.channels[channel].id, "text": "forged", "blocks": blocks}
    headers = {"Authorization": f"Bearer {workspace.bot_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(workspace.api_url + "chat.postMessage", json=body) as answer,
    ):
        posted = await answer.json()
    assert posted["ok"], posted
    return next(it for it in workspace.messages(channel) if it["ts"] == posted["ts"])
