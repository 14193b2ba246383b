"""Handing a registration over to another requester."""

from typing import Any

from tests.support.story import Story

OLDER = "This is an older request"


async def ask_handover(story: Story, id: str, to: str, *, by: str = "ada") -> str:
    answer = await story.workspace.command(by, f"handover {id} @{to}")
    return str(answer.text)


async def confirm_handover(story: Story, *, by: str) -> None:
    """Confirm the newest request, which may still be on its way when an older one shows buttons."""
    tried: set[str] = set()

    def newest() -> dict[str, Any] | None:
        posted = reversed(story.workspace.messages("approvals"))
        fresh = (each for each in posted if each["ts"] not in tried)
        label = "[Confirm the handover]"
        return next((each for each in fresh if label in story.workspace.text_of(each)), None)

    refused = story.whispers(by).count(OLDER)
    while True:
        asked = await story.until(newest)
        await story.workspace.click(by, "Confirm the handover", on=asked)
        if story.whispers(by).count(OLDER) == refused:
            return
        refused += 1
        tried.add(asked["ts"])
