"""Commands and mentions, and their answers."""

import re
from typing import Any

from handlers.listeners.command import Takes
from handlers.listeners.command_table import COMMANDS
from tests.support.story import Story

Json = dict[str, Any]

WITH_ID = [word for word, command in COMMANDS.items() if Takes.ID in command.takes]

MOMENT = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")


async def in_thread(story: Story, person: str, text: str, **where: Any) -> str:
    """Mention the bot and return what it answers in the thread."""
    asked = await story.workspace.mention(person, text, **where)
    await story.until(lambda: story.workspace.replies(asked))
    return story.workspace.text_of(story.workspace.replies(asked)[0])


async def deliver(story: Story, event: Json) -> bool:
    """Tell the bot of an event; return whether it was acknowledged."""
    workspace = story.workspace
    payload = {
        "type": "event_callback",
        "team_id": workspace.team_id,
        "api_app_id": workspace.api_app_id,
        "event_id": f"Ev{len(workspace.log)}",
        "event": event,
    }
    ack = await workspace._state.delivery.deliver("events_api", payload)
    return ack.error is None
