"""Stories of consent mode `portal`: a registration that waits for an administrator."""

from datetime import timedelta
from typing import Any

from bot.app import Intervals
from bot.playground.stage import Stage
from bot.playground.tenant.tenant import PORTAL
from tests.support.settings_env import signing_in_as
from tests.support.story import Story

SEE = "DelegatedPermissionGrant.Read.All"
WAITS = "waits for an administrator's consent"
UNHURRIED = Intervals(storage=0.1, consent=3600.0)
"""Only the test itself lets the bot look at the grants."""


def environ(stage: Stage, *rights: str) -> dict[str, str]:
    """Return the settings of a bot with these rights that does not name a consent mode."""
    bot = stage.tenant.add_administrator((*PORTAL, *rights))
    return signing_in_as(bot, consent_mode="")


async def waiting(story: Story, **values: Any) -> str:
    """Ask and approve; return the id once it waits for consent."""
    id = await story.ask(**values)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: WAITS in story.card(id) and calls(story, id) == 1)
    return id


def app_id(story: Story) -> str:
    return str(story.tenant.applications[-1]["appId"])


async def looked(
    story: Story, id: str, words: str, *, step: timedelta = timedelta(minutes=1)
) -> None:
    """Let time pass until looks at the grants have brought the card to these words."""
    story.clock.move(step)  # nothing is due before
    await story.eventually(lambda: words in story.card(id), step=step)


def called(story: Story) -> str:
    return story.workspace.text_of(story.workspace.messages("approvals")[-1])


def calls(story: Story, id: str) -> int:
    """Count the calls for an administrator in the approval channel."""
    texts = map(story.workspace.text_of, story.workspace.messages("approvals"))
    return sum(text.startswith(f"{id} needs admin consent") for text in texts)


def batches(story: Story) -> int:
    return len(story.tenant.calls("POST", "$batch"))


async def consented(story: Story, id: str) -> None:
    """Grant admin consent, and let time pass until it is ready."""
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")
