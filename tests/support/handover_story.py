"""Handing a registration over to another requester."""

from tests.support.story import Story


async def ask_handover(story: Story, id: str, to: str, *, by: str = "ada") -> str:
    answer = await story.workspace.command(by, f"handover {id} @{to}")
    return str(answer.text)


async def confirm_handover(story: Story, *, by: str) -> None:
    await story.until(lambda: "[Confirm the handover]" in story.workspace.picture())
    asked = next(
        each
        for each in reversed(story.workspace.messages("approvals"))
        if "[Confirm the handover]" in story.workspace.text_of(each)
    )
    await story.workspace.click(by, "Confirm the handover", on=asked)
