"""What 1,000 registrations cost that wait for an administrator's consent.

    python -m tests.bench.waiting [--registrations 1000] [--rounds 15]

One registration is brought to where it waits. What is measured runs beside it, and then in turns
beside so many copies of it: of which none is due yet; of which all are due at once when the bot
starts; and when all are due once more. The bot runs in a process of its own, on the same machine in
the same run.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import trustme

from bot.playground.bot import RUNNING
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing
from bot.storage.timers import TimerKind
from tests.bench.growth import beside, multiply
from tests.bench.readiness import path_of
from tests.support.story import LOOK_SECONDS, Story

ONE, NONE_DUE, STARTS, ALL_DUE = "one", "none due", "all due at start", "all due again"
PHASES = 3
"""The machine's speed changes meanwhile, so the kinds of many take turns."""
UNCOUNTED = 2
LONGEST = 300.0


class Times(NamedTuple):
    """What one registration took, in seconds."""

    approve_acknowledged: float
    form_to_waiting_for_consent: float


async def waiting(registrations: int, rounds: int) -> None:
    found: dict[str, list[Times]] = {ONE: [], NONE_DUE: [], STARTS: [], ALL_DUE: []}
    each = rounds // PHASES
    with tempfile.TemporaryDirectory() as folder:
        async with standing(folder=Path(folder), clock=MovableClock(), ca=trustme.CA()) as stage:
            environ, story = stage.portal_environ(LOG_LEVEL="ERROR"), Story(stage)
            for _ in range(PHASES):
                async with bot_process(environ):
                    found[ONE] += await several(story, each)
            await asyncio.to_thread(multiply, path_of(stage), registrations, as_ended=False)
            for _ in range(PHASES):
                due(stage, timedelta(hours=1))
                async with bot_process(environ):
                    found[NONE_DUE] += await several(story, each)
                due(stage, timedelta(hours=-1))
                async with bot_process(environ):
                    found[STARTS] += await several(story, each)
                    await looked_at(stage)
                    due(stage, timedelta(hours=-1))
                    found[ALL_DUE] += await several(story, each)
            due(stage, timedelta(hours=-1))
            async with bot_process(environ):
                calls, seconds = await looked_at(stage)
    print_table(found)
    print(f"calls of Graph when all of them are due: {calls} in {seconds:.0f} s")


@asynccontextmanager
async def bot_process(environ: Mapping[str, str]) -> AsyncIterator[None]:
    """Run the bot while inside: it ends with its input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "bot.playground.bot"), stdin=PIPE, stdout=PIPE, env=environ
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"0\n")
    assert await process.stdout.readline() == RUNNING
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()


def due(stage: Stage, later: timedelta) -> None:
    """Let all that wait be looked at then."""
    at = (datetime.now(UTC) + later).replace(tzinfo=None).isoformat(sep=" ")
    with closing(sqlite3.connect(path_of(stage))) as database, database:
        database.execute("UPDATE dues SET at = ? WHERE kind = ?", (at, TimerKind.CONSENT))


async def several(story: Story, rounds: int) -> list[Times]:
    """Measure, once the bot has done each thing for the first time."""
    for _ in range(UNCOUNTED):
        await measured(story)
    return [await measured(story) for _ in range(rounds)]


async def measured(story: Story) -> Times:
    """Ask, approve, and wait until consent is called for."""
    start = time.perf_counter()
    id = await story.ask(f"beside {uuid4().hex[:8]}")
    card, clicked = story.card_of(id), time.perf_counter()
    await story.workspace.click("ada", "Approve", on=card)
    took = time.perf_counter() - clicked
    await story.until(lambda: f"{id} needs admin consent" in posted(story))
    return Times(took, time.perf_counter() - start)


def posted(story: Story) -> str:
    """Return the newest messages of the approval channel."""
    return "\n".join(map(story.workspace.text_of, story.workspace.messages("approvals")[-3:]))


async def looked_at(stage: Stage) -> tuple[int, float]:
    """Return the calls of Graph until each was looked at once, and their seconds."""
    start, now = time.perf_counter(), datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    before = len(stage.tenant.calls("POST", "$batch"))
    async with asyncio.timeout(LONGEST):
        while await asyncio.to_thread(still_due, stage, now):  # noqa: ASYNC110 - SQLite has no event
            await asyncio.sleep(LOOK_SECONDS)
    return len(stage.tenant.calls("POST", "$batch")) - before, time.perf_counter() - start


def still_due(stage: Stage, now: str) -> bool:
    with closing(sqlite3.connect(path_of(stage))) as database:
        of_consent = "SELECT 1 FROM dues WHERE kind = ? AND at <= ? LIMIT 1"
        return bool(database.execute(of_consent, (TimerKind.CONSENT, now)).fetchall())


def print_table(found: Mapping[str, Sequence[Times]]) -> None:
    """Print the median and nine of ten, and what the median is to that beside one."""
    print(f"{'ms: median, nine of ten, ratio':<32}", *(f"{name:>24}" for name in found))
    for field in Times._fields:
        cells, of_one = [], 0.0
        for them in found.values():
            tenths = statistics.quantiles([getattr(each, field) * 1000 for each in them], n=10)
            of_one = of_one or tenths[4]
            cells.append(f"{tenths[4]:>8.1f} {tenths[8]:>8.1f} x{tenths[4] / of_one:.2f}")
        print(f"{field.replace('_', ' '):<32}", *(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    beside(waiting, registrations=1000)
