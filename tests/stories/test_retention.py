"""Retention: what nothing needs any more is deleted, here after RETENTION, in the engine sooner."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from bot.app import App
from bot.domain.runs import RunKind
from bot.playground.stage import Stage
from bot.storage.messages import SAID_ONCE, MessageKind
from bot.storage.tables import history as entries
from bot.storage.tables import messages, runs, secrets, steps
from bot.worker.engine import url_of
from tests.support.removal_story import press, revoked
from tests.support.running_bot import Bot
from tests.support.story import Story

pytestmark = pytest.mark.slow


async def _remembered(url: str) -> set[str]:
    """Return the ids of all runs that the engine knows of."""
    is_sqlite = url.startswith("sqlite")
    table = "workflow_status" if is_sqlite else "dbos.workflow_status"
    address = url_of(url).replace("sqlite:", "sqlite+aiosqlite:") if is_sqlite else url
    engine = create_async_engine(address)
    async with engine.begin() as tx:
        found = set((await tx.scalars(sa.text(f"SELECT workflow_uuid FROM {table}"))).all())
    await engine.dispose()
    return found


async def test_the_engine_forgets_runs_that_ended_long_ago(
    stage: Stage, bot: Bot, database_url: str
) -> None:
    async with bot(DATABASE_URL=database_url) as app:
        id = await Story(stage).ready()
        first = await _remembered(database_url)
        assert len(first) == 2  # plan, register

        stage.clock.move(timedelta(days=29))
        await app.scheduler.look()
        assert await _remembered(database_url) >= first

        stage.clock.move(timedelta(days=2))
        await app.scheduler.look()
        assert not await _remembered(database_url) & first
        assert f"{id} is ready" in str(await stage.workspace.command("rosa", f"status {id}"))


YEAR = timedelta(days=365)


async def _rows(app: App, table: sa.Table, id: str) -> list[sa.RowMapping]:
    async with app.services.database.reading() as tx:
        query = sa.select(table).where(table.c.registration == id)
        return list((await tx.execute(query)).mappings())


async def test_runs_and_messages_of_one_long_revoked_are_deleted(story: Story, app: App) -> None:
    id = await revoked(story)
    await story.until(lambda: f"{id} was revoked by @ada" in story.direct("rosa"))
    cards = {row["id"] for row in await _rows(app, messages, id)} - {
        row["id"] for row in await _rows(app, messages, id) if row["kind"] in SAID_ONCE
    }
    told = await _rows(app, entries, id)
    story.clock.move(YEAR - timedelta(days=1))
    await app.scheduler.look()
    assert await _rows(app, steps, id)
    story.clock.move(timedelta(days=5))
    await app.scheduler.look()

    [secret] = await _rows(app, secrets, id)
    assert [row["id"] for row in await _rows(app, runs, id)] == [secret["run"]]
    assert {row["run"] for row in await _rows(app, steps, id)} == {secret["run"]}
    assert {row["id"] for row in await _rows(app, messages, id)} == cards
    assert await _rows(app, entries, id) == told
    said = str(await story.workspace.command("rosa", f"status {id}"))
    assert f"{id} was revoked" in said


@pytest.mark.slow
async def test_what_one_in_use_still_needs_is_kept(story: Story, app: App) -> None:
    id = await story.ready()
    await story.revealed(id)
    for _ in range(14):  # checks go on meanwhile, and the end of the secret is told
        story.clock.move(timedelta(days=30))
        await app.scheduler.look()
        await story.until(lambda: _is_idle(story.stage))
    kinds = {row["kind"] for row in await _rows(app, runs, id)}
    assert RunKind.REGISTER in kinds
    assert RunKind.PLAN not in kinds
    assert await _rows(app, steps, id)
    assert MessageKind.EXPIRY_NEWS in {row["kind"] for row in await _rows(app, messages, id)}
    await press(story, id)
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    assert not story.tenant.applications


def _is_idle(stage: Stage) -> bool:
    with closing(sqlite3.connect(stage.folder / "aad-setup.db")) as database:
        return not database.execute("SELECT 1 FROM runs WHERE ended_at IS NULL").fetchone()
