"""Purging by two approvers, as stories and crash stories do it."""

from typing import Any

LABEL = "Confirm the purge"


async def purge(story: Any, id: str) -> None:
    """Let Ada ask to delete it for good, and Grace confirm it."""
    asked = await story.new_request(story.workspace.command("ada", f"purge {id}"), LABEL)
    await story.workspace.click("grace", LABEL, on=asked)
