"""Purging by two approvers, as stories and crash stories do it."""

from typing import Any

LABEL = "Confirm the purge"


async def purge(story: Any, id: str, *, by: str = "ada") -> None:
    """Ask to delete it for good, and let another approver confirm it."""
    asked = await story.new_request(story.workspace.command(by, f"purge {id}"), LABEL)
    await story.workspace.click("grace" if by == "ada" else "ada", LABEL, on=asked)
