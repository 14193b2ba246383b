"""How the bot answers beside 20,000 finished registrations, and beside one.

    python -m tests.bench.growth [--registrations 20000] [--rounds 15]

One registration is made as people make it, with everything that follows. Then its rows are copied,
half of them as revoked, each for one of 200 requesters, one every ten minutes back in time. What is
measured runs before and after that on the same machine in the same run, in one process with both
simulators. Times are medians in milliseconds.
"""

import argparse
import asyncio
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bot import app, logs
from bot.domain.people import Person
from bot.domain.secrets import RemovalReason
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from bot.storage.queries import ListKind
from tests.bench.readiness import bench_stage, path_of, seen_ready
from tests.support.story import Story

Row = dict[str, Any]
Times = dict[str, float]

PEOPLE = 200
APART = timedelta(minutes=10)
ASKERS = 10
"""Enough that none has asked for too much, and few enough to be looked up within a minute."""
TABLES = (
    *("registrations", "approval_requests", "votes", "runs", "steps", "secrets", "messages"),
    *("dues", "history"),
)
IDS = {"id", "registration", "request", "run", "key", "origin", "nonce", "subject", "ts"}
"""Columns whose values are other ones in each copy, as are digests of wishes."""
PAST = {"created_at", "asked_at", "made_at", "ended_at", "intended_at", "shown_at", "removed_at"}
"""Columns that say when something happened; `at` of a timer is still to come."""


async def growth(registrations: int, rounds: int) -> None:
    logs.set_up("ERROR")
    async with bench_stage() as stage:
        async with at_work(stage) as (story, bot):
            await finished(story)
            before = await measured(story, bot, rounds, "small")
        await asyncio.to_thread(multiply, path_of(stage), registrations)
        async with at_work(stage) as (story, bot):
            after = await measured(story, bot, rounds, "large")
    print(f"{'':<28} {'1':>9} {registrations:>9}  ratio")
    for name, value in before.items():
        ratio = after[name] / value
        print(f"{name:<28} {value:>6.1f} ms {after[name]:>6.1f} ms {ratio:>6.2f}")


@asynccontextmanager
async def at_work(stage: Stage) -> AsyncIterator[tuple[Story, app.App]]:
    async with app.running(Settings.read(stage.environ(REQUESTERS="*")), stage.clock) as bot:
        yield Story(stage), bot


async def finished(story: Story) -> None:
    """Make one registration and see its secret, so that nothing of it is left to do."""
    id = await story.ready("template")
    await story.values(id)
    await story.reveal()
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])


async def measured(story: Story, bot: app.App, rounds: int, name: str) -> Times:
    """Return the median of each in milliseconds."""
    people = [story.workspace.people[name] for name in ("ada", "rosa")]
    ada, rosa = (Person(team_id=it.team_id, user_id=it.id, name=it.name) for it in people)
    id, queries = story.card().split()[0], bot.registrar.queries
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "status": partial(queries.status, id, by=rosa),
        "list": partial(queries.listed, ListKind.OPEN, by=ada, for_all=True),
        "list mine": partial(queries.listed, ListKind.MINE, by=rosa, for_all=False),
        "list expiring": partial(queries.listed, ListKind.EXPIRING, by=ada, for_all=True),
        "history of one": partial(queries.history, id, by=ada),
        "Home of an approver": partial(queries.home, {}, by=ada),
        "Home of a requester": partial(queries.home, {}, by=rosa),
        "mark of the Homes": queries.mark,
        "look of the scheduler": bot.scheduler.look,
        "look of the messages": bot.dispatcher.look,
    }
    times = {what: await median(rounds, act) for what, act in acts.items()}
    acknowledged, ready = [], []
    askers = [story.workspace.add_person(f"asker-{name}-{n}", "An Asker") for n in range(ASKERS)]
    for number in range(rounds):
        id = await story.ask(f"{name}-{number}", by=askers[number % ASKERS].name)
        clicked, start = story.clock.now(), time.perf_counter()
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        acknowledged.append(time.perf_counter() - start)
        ready.append((await seen_ready(story.stage, id) - clicked).total_seconds())
    times["Approve acknowledged"] = statistics.median(acknowledged) * 1000
    times["Approve to READY"] = statistics.median(ready) * 1000
    return times


async def median(rounds: int, act: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        await act()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


def multiply(path: Path, copies: int, *, as_ended: bool = True) -> None:
    """Copy the oldest registration's rows that often; every other one is revoked, if they have
    ended.
    """
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        [id] = database.execute(
            "SELECT id FROM registrations ORDER BY created_at LIMIT 1"
        ).fetchone()
        for table in TABLES:
            column = {"registrations": "id", "votes": "request"}.get(table, "registration")
            rows = database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (id,)).fetchall()
            for row in rows:
                names = ", ".join(f'"{name}"' for name in row.keys())  # noqa: SIM118 - sqlite3.Row iterates over values
                holes = ", ".join("?" * len(row))
                database.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({holes})",
                    copied(table, dict(row), id, copies, as_ended=as_ended),
                )
        database.commit()


def copied(
    table: str, row: Row, id: str, copies: int, *, as_ended: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield the row as it is in each copy of its registration."""
    for number in range(copies):
        is_revoked = as_ended and number % 2 == 1
        if table == "dues" and is_revoked:  # nothing is left to do
            continue
        yield tuple(changed(table, row, id, number, is_revoked=is_revoked).values())


def changed(table: str, row: Mapping[str, Any], id: str, number: int, *, is_revoked: bool) -> Row:
    new = f"AAD-{number:05}"
    back = APART * (number + 1)
    changes: Row = {}
    for name, value in row.items():
        if name in IDS and value is not None:
            changes[name] = new if value == id else f"{number:05}{value}"[:40]
        elif value is not None and (name in PAST or (name == "at" and table != "dues")):
            changes[name] = (datetime.fromisoformat(value) - back).isoformat(sep=" ")
    if table == "registrations":
        changes["user_id"] = f"U{number % PEOPLE:08}"
        changes["status"] = "revoked" if is_revoked else row["status"]
    if table == "secrets" and is_revoked:
        changes["removed_because"] = RemovalReason.APPLICATION_DELETED
        changes["removed_at"] = row["made_at"]
    return {**row, **changes}


def beside(measure: Callable[[int, int], Coroutine[Any, Any, None]], *, registrations: int) -> None:
    """Measure beside so many registrations, unless the command line says otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--registrations", type=int, default=registrations)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.registrations, arguments.rounds))


if __name__ == "__main__":
    beside(growth, registrations=20_000)
