"""What 1,000 registrations cost that wait for an administrator's consent.

    python -m tests.bench.waiting [--registrations 1000] [--rounds 15]

One registration is brought to where it waits. What is measured runs beside it, and then beside so
many copies of it, all of which are to be looked at in the same moment, on the same machine in the
same run. Times are medians in milliseconds.
"""

import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import trustme

from bot import app, logs
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing
from bot.settings.settings import Settings
from graph.rights import ConsentMode, rights
from tests.bench.growth import beside, multiply
from tests.bench.readiness import path_of
from tests.support.story import Story

Times = dict[str, float]


async def waiting(registrations: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = MovableClock()
        async with standing(folder=Path(folder), clock=clock, ca=trustme.CA()) as stage:
            logs.set_up("ERROR")
            settings = Settings.read(environ(stage))
            async with app.running(settings, clock):
                story = Story(stage)
                await asked(story, "template")
                before = await measured(story, rounds, "small")
            await asyncio.to_thread(multiply, path_of(stage), registrations, as_ended=False)
            async with app.running(settings, clock):
                after = await measured(story, rounds, "large")
                calls = await minute(story)
    print(f"{'':<28} {1:>9} {registrations:>9}  ratio")
    for name, value in before.items():
        ratio = after[name] / value
        print(f"{name:<28} {value:>6.1f} ms {after[name]:>6.1f} ms {ratio:>6.2f}")
    print(f"calls of Graph when all of them are due: {calls}")


def environ(stage: Stage) -> dict[str, str]:
    bot = stage.tenant.add_administrator(rights(ConsentMode.PORTAL))
    own = {"ENTRA_CLIENT_ID": bot.client_id, "ENTRA_CLIENT_SECRET": bot.client_secret}
    return stage.environ(CONSENT_MODE=ConsentMode.PORTAL, **own)


async def asked(story: Story, name: str) -> float:
    """Ask, approve, and wait until consent is called for; return how long the click took."""
    id = await story.ask(name)
    start = time.perf_counter()
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    took = time.perf_counter() - start
    await story.until(lambda: f"{id} needs admin consent" in posted(story))
    return took


def posted(story: Story) -> str:
    """Return the newest messages of the approval channel."""
    return "\n".join(map(story.workspace.text_of, story.workspace.messages("approvals")[-3:]))


async def measured(story: Story, rounds: int, name: str) -> Times:
    """Return medians, each round in a minute in which everything that waits is due."""
    acknowledged, waits = [], []
    for number in range(rounds):
        story.clock.move(timedelta(minutes=1))
        start = time.perf_counter()
        acknowledged.append(await asked(story, f"{name}-{number}"))
        waits.append(time.perf_counter() - start)
    return {
        "Approve acknowledged": statistics.median(acknowledged) * 1000,
        "form to waiting for consent": statistics.median(waits) * 1000,
    }


async def minute(story: Story) -> int:
    """Let all be due once more, and count the calls of the next twenty seconds."""
    before = len(story.tenant.calls("POST", "$batch"))
    story.clock.move(timedelta(minutes=15))
    await asyncio.sleep(20)
    return len(story.tenant.calls("POST", "$batch")) - before


if __name__ == "__main__":
    beside(waiting, registrations=1000)
