"""Purging by two approvers, as stories and crash stories do it."""

from typing import Any

LABEL = "Confirm the purge"


async def purge(story: Any, id: str) -> None:
    """Let Ada ask to delete it for good, and Grace confirm it."""
    await story.workspace.command("ada", f"purge {id}")

    def newest() -> dict[str, Any]:
        found: dict[str, Any] = story.workspace.messages("approvals")[-1]
        return found

    await story.until(lambda: f"[{LABEL}]" in story.workspace.text_of(newest()))
    await story.workspace.click("grace", LABEL, on=newest())
