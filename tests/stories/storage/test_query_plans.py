"""No statement reads a whole table that grows: SQLite says how it would find each one's rows."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.app import App
from bot.domain.people import Person
from bot.playground.stage import Stage
from bot.registrar.deliveries import expected
from bot.registrar.queries import Part
from bot.storage.queries import ListKind
from bot.storage.tables import metadata
from tests.support.removal_story import press
from tests.support.rotation_story import in_use, rotated, seen
from tests.support.running_bot import Bot
from tests.support.statements import heard
from tests.support.story import Story

pytestmark = pytest.mark.slow

GROWING = set(metadata.tables) - {"installation", "seen_events"}
"""All but the one row of the installation, and what is forgotten after ten minutes."""
SMALL = {"runs_one_open", "messages_stale", "secrets_sealed", "approval_requests_one_waiting"}
"""Partial indexes: what they hold is at work, and does not grow with what is done."""
ORDERED = {"history_by_time", "ix_registrations_changed", "runs_by_end", "ix_dues_at"}
"""Walked from one end, as far as the statement's LIMIT says."""


AT_START = "registrations.head NOT LIKE"
"""Once at each start: which ends of history an older key has signed."""
WHOLE = re.compile(r"runs_by_outcome \(outcome=\?\)$")
"""Most runs end alike: to look for those is to read them all."""


async def test_no_statement_of_a_whole_life_reads_a_whole_table(bot: Bot, stage: Stage) -> None:
    with heard() as statements:
        async with bot() as app:
            await whole_life(Story(stage), app)
            await looked_at(Story(stage), app)
            plans = {each: await plan(app, each, given) for each, given in dict(statements).items()}
    scans = {each: list(scanned(each, steps)) for each, steps in plans.items()}
    whole = "\n\n".join(f"{found}\n{each}" for each, found in scans.items() if found)
    assert not whole, whole
    assert sum(map(bool, plans.values())) > 80, "the story has asked for less than it used to"


async def whole_life(story: Story, app: App) -> None:
    """Let most things happen that can happen to a registration."""
    id = await in_use(story)
    await rotated(story, id)
    await seen(story, id)
    story.clock.move(timedelta(days=31))
    await app.scheduler.look()
    await app.orphan_scan.look()
    await press(story, id)
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    await story.deny(await story.ask("another"))


async def looked_at(story: Story, app: App) -> None:
    """Let everything be looked at that people look at."""
    people = story.workspace.people
    for name in ("rosa", "ada"):
        person = Person(team_id=people[name].team_id, user_id=people[name].id)
        await app.registrar.queries.home(dict.fromkeys(Part, 1), by=person)
        for which in ListKind:
            for for_all in (True, False):
                await app.registrar.queries.listed(which, by=person, for_all=for_all)
    await app.registrar.queries.mark()
    async with app.services.database.reading() as tx:
        await expected(tx)


async def plan(app: App, statement: str, arguments: Any) -> list[str]:
    """Return the steps by which SQLite would find the rows; none for what is not ours."""
    if not re.match("SELECT|UPDATE|DELETE|INSERT", statement) or AT_START in statement:
        return []
    async with app.services.database.reading() as tx:
        tables = set(re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+)", statement))
        if not tables & set(metadata.tables):
            return []
        rows = await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", arguments)
        return [str(row.detail) for row in rows]


def scanned(statement: str, steps: list[str]) -> Iterator[str]:
    """Yield the steps that read a whole table, or a whole index, that grows."""
    for step in steps:
        found = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
        if WHOLE.search(step) and "LIMIT" not in statement:
            yield step
        if found is None or found[1].removesuffix("_1") not in GROWING:
            continue
        if found[2] in SMALL or (found[2] in ORDERED and "LIMIT" in statement):
            continue
        yield step
