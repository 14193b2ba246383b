"""How long the bot takes beside what Entra alone takes.

    python -m tests.bench [--answers 0 50 300] [--rounds 5] [--crowd 60] [--lag 5]

The critical path is the chain of answers that nothing can shorten: application, service principal,
grants (together), secret, token, directory test. Slack answers at once here; the tenant takes as
long as `--answers` says (milliseconds). Floor is what a bare HTTP client needs for the same calls
on the same machine. Ready is from the click on Approve until READY is committed, told until the
requester has the message about it; the ratios are ready to path and ready to floor.

With replication lag the path has three waits more: for the application, for the service principal,
and for the grants (or the secret, made a moment later) to reach the sign-in service. There the
waits are simulated: the clock jumps over them, so these seconds are counted and not waited, and the
bot runs in this process because it shares that clock. Answers still take their real time.
"""

import argparse
import asyncio
import statistics
import time

from bot import logs
from bot.playground.stage import Stage
from bot.playground.tenant.calls import Call
from tests.bench.floor import Floor
from tests.bench.growth import at_work
from tests.bench.readiness import bench_stage, seen_ready
from tests.support.bench_process import serving
from tests.support.story import Story

DEPTH = 6
WAITS = 3
"""How often the road waits for replication: nothing that it needs next is there before."""

HEADINGS = "  answer  calls  depth      path     floor     ready  /path  /floor      told"


async def bench(answers: list[int], rounds: int, crowd: int, lag: float) -> None:
    await without_lag(answers, rounds, crowd)
    await under_lag(answers, rounds, lag)


async def without_lag(answers: list[int], rounds: int, crowd: int) -> None:
    async with bench_stage() as stage, serving(stage, log_level="ERROR"):
        story = Story(stage)
        await story.ready("warm-up")
        print(HEADINGS)
        for milliseconds in answers:
            await one_by_one(story, milliseconds, rounds)
        await all_at_once(story, crowd)


async def under_lag(answers: list[int], rounds: int, lag: float) -> None:
    """Print the same while every write is seen `lag` seconds later, on a clock that jumps."""
    logs.set_up("WARNING")
    async with bench_stage(eager=True) as stage, at_work(stage) as (story, _):
        await story.ready("warm-up")
        faults = story.tenant.faults
        faults.lag = faults.secret_lag = faults.role_lag = lag
        print(f"\nunder {lag:g} s of lag (waits simulated, bot and tenant in one process):")
        print(HEADINGS)
        for milliseconds in answers:
            await one_by_one(story, milliseconds, rounds, waiting=WAITS * lag)


async def one_by_one(story: Story, milliseconds: int, rounds: int, *, waiting: float = 0.0) -> None:
    """Print medians from the click on Approve: to READY, and to the message about it.

    `unseen` are the seconds of replication lag on the path.
    """
    story.tenant.faults.latency = milliseconds / 1000
    ready, told, calls = [], [], []
    made: list[Call] = []
    for number in range(rounds):
        # Somebody else each time: one person is not written to more than once a second.
        asker = story.workspace.add_person(f"asker-{milliseconds}-{number}", "An Asker")
        id = await story.ask(f"bench-{milliseconds}-{number}", by=asker.name)
        before = len(answered(story.stage))
        clicked = story.clock.now()
        seen = asyncio.create_task(seen_ready(story.stage, id))
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        await story.until(lambda id=id, name=asker.name: was_told(story, id, name))
        told.append((story.clock.now() - clicked).total_seconds())
        ready.append((await seen - clicked).total_seconds())
        made = answered(story.stage)[before:]
        calls.append(len(made))
    path, wall = DEPTH * milliseconds / 1000 + waiting, statistics.median(ready)
    floor = "-" if waiting else f"{await Floor(story.stage, made).median(rounds) * 1000:.0f} ms"
    above = "-" if waiting else f"{wall * 1000 / float(floor.split()[0]):.2f}"
    ratio = f"{wall / path:.2f}" if path else "-"
    print(
        f"{milliseconds:>5} ms {max(calls):>6} {DEPTH:>6} {path * 1000:>6.0f} ms {floor:>9}"
        f" {wall * 1000:>6.0f} ms {ratio:>6} {above:>7} {statistics.median(told) * 1000:>6.0f} ms"
    )


def was_told(story: Story, id: str, person: str) -> bool:
    """Whether somebody's direct messages say that the values are there."""
    told = f"{id}: your connector values"
    return any(each["text"].startswith(told) for each in story.workspace.messages(person))


async def all_at_once(story: Story, crowd: int) -> None:
    """Print how long many registrations take that are approved together."""
    story.tenant.faults.latency = 0.05
    ids = [await story.ask(f"crowd-{number}") for number in range(crowd)]
    cards = [story.card_of(id) for id in ids]  # finding them takes long, and is not the bot's
    start, clicked = time.perf_counter(), story.clock.now()
    await asyncio.gather(*[story.workspace.click("ada", "Approve", on=card) for card in cards])
    acked = time.perf_counter() - start
    # Watched from here on: the watcher shares this process with the workspace that is answered.
    wall = await seen_ready(story.stage, *ids) - clicked
    print(
        f"\n{crowd} at once, 50 ms an answer: all acknowledged after {acked:.2f} s,"
        f" ready after {wall.total_seconds():.2f} s"
    )


def answered(stage: Stage) -> list[Call]:
    """Return the Graph and token calls so far; discovery is remembered, batched reads are one."""
    return [call for call in stage.tenant.log if call.kind in ("graph", "token")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--answers", type=int, nargs="+", default=[0, 50, 300])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crowd", type=int, default=60)
    parser.add_argument("--lag", type=float, default=5.0)
    arguments = parser.parse_args()
    asyncio.run(bench(arguments.answers, arguments.rounds, arguments.crowd, arguments.lag))


main()
