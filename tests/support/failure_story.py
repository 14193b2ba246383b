"""Registrations that fail because the tenant refuses."""

from bot.playground.tenant.faults import Fault
from tests.support.removal_story import FOR_EVER
from tests.support.story import Story


def refuses_grants(story: Story) -> Fault:
    return story.tenant.faults.fail(
        "POST",
        "appRoleAssignedTo",
        status=403,
        code="Authorization_RequestDenied",
        message="Insufficient privileges to complete the operation.",
        times=FOR_EVER,
    )


async def failed(story: Story, name: str = "billing") -> tuple[str, Fault]:
    """Ask and approve while the tenant refuses to grant; return the id and the fault."""
    fault = refuses_grants(story)
    id = await story.ask(name)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: f"{id} failed" in story.card())
    await story.until(lambda: f"{id} failed" in story.direct("rosa"))
    return id, fault
