"""Some stories that send most of what the bot can show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot import app
from bot.app import Intervals
from bot.playground.clock import MovableClock
from bot.playground.stage import standing
from bot.settings.settings import Settings
from tests.support.failure_story import refuses_grants
from tests.support.story import Story

WORDS = ("help", "list", "status", "status {id}", "details {id}", "history {id}", "preview")
SLOWLY = Intervals(storage=0.1, consent=0.1)


@asynccontextmanager
async def told(folder: Path) -> AsyncIterator[Story]:
    """Play the stories between a bot and simulators in this process."""
    clock = MovableClock(eager=True)
    async with standing(folder=folder, clock=clock, users=50, groups=5) as stage:
        async with app.running(Settings.read(stage.environ()), clock, intervals=SLOWLY):
            story = Story(stage)
            await _denied(story)
            await _failed(story)
            await _handed_over(story)
        yield story


async def _handed_over(story: Story) -> None:
    id = await story.ready("billing", **{"Redirect URL": "https://example.com/back"})
    await story.values(id)
    await story.reveal()
    for words in WORDS:
        await story.workspace.command("rosa", words.format(id=id))
    for person in ("rosa", "ada", "ben"):
        await story.workspace.open_home(person)
    await story.workspace.mention("ben", f"status {id}")
    await story.workspace.command("rosa", f"rotate {id}")
    await story.workspace.command("ada", f"revoke {id}")


async def _denied(story: Story) -> None:
    id = await story.ask("second")
    await story.deny(id)
    await story.until(lambda: "was denied" in story.direct("rosa"))


async def _failed(story: Story) -> None:
    fault = refuses_grants(story)
    id = await story.ask("third")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: "[Undo]" in story.workspace.text_of(story.card_of(id)))
    await story.until(lambda: f"{id} failed" in story.direct("rosa"))
    fault.times = 0
    await story.click_when_idle("ada", "Undo", story.card_of(id))
    await story.until(lambda: f"{id} was undone" in story.card())
