"""What a secret looks like, and which ones the tenant holds."""

from typing import Any

from tests.support.story import Story

MARK = "8Q~"
"""Stands in every secret that the simulated tenant makes."""


def live(story: Story, name: str = "billing") -> list[str]:
    """Return the key ids of the secrets that the application truly has."""
    application = story.tenant.applications_named(name)[0]
    return [each["keyId"] for each in story.tenant.live_secrets(application["appId"])]


async def make_a_new_one(story: Story, id: str, *, by: str = "rosa") -> None:
    """Press *Make a new one*, and again if a sweep is just at work, as the refusal says."""
    refused = f"{id} is being worked on. Try again in a moment."
    for _ in range(20):
        story.workspace.reload(by)
        await story.until(lambda: _offers(story, id, by))
        await story.workspace.click(by, "Make a new one", on=_offers(story, id, by)[-1])
        if story.whispers(by) != refused:
            return
    raise AssertionError(story.whispers(by))


def _offers(story: Story, id: str, to: str) -> list[dict[str, Any]]:
    """Return the messages of this registration that have the button."""
    text_of = story.workspace.text_of
    found = [each for each in story.workspace.messages(to) if each["text"].startswith(id)]
    return [each for each in found if "[Make a new one]" in text_of(each)]
