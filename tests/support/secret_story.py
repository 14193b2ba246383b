"""What a secret looks like, and which ones the tenant holds."""

from tests.support.story import Story

MARK = "8Q~"
"""Stands in every secret that the simulated tenant makes."""


def live(story: Story, name: str = "billing") -> list[str]:
    """Return the key ids of the secrets that the application truly has."""
    application = story.tenant.applications_named(name)[0]
    return [each["keyId"] for each in story.tenant.live_secrets(application["appId"])]
