"""Retention: the engine's record of a run goes some weeks after its end; storage keeps its own."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from bot.app import engine_url
from bot.playground.stage import Stage
from tests.conftest import Bot
from tests.postgres import postgres_is_slow
from tests.scene import Scene


async def _remembered(url: str) -> set[str]:
    """Return the ids of all runs that the engine knows of."""
    is_sqlite = url.startswith("sqlite")
    table = "workflow_status" if is_sqlite else "dbos.workflow_status"
    address = engine_url(url).replace("sqlite:", "sqlite+aiosqlite:") if is_sqlite else url
    engine = create_async_engine(address)
    async with engine.begin() as tx:
        found = set((await tx.scalars(sa.text(f"SELECT workflow_uuid FROM {table}"))).all())
    await engine.dispose()
    return found


@postgres_is_slow
async def test_the_engine_forgets_runs_that_ended_long_ago(
    stage: Stage, bot: Bot, database_url: str
) -> None:
    async with bot(DATABASE_URL=database_url) as running:
        scene = Scene(stage)
        id = await scene.ready()
        first = await _remembered(database_url)
        assert len(first) == 2  # plan, register

        stage.clock.move(timedelta(days=29))
        await running.keeper.look()
        assert await _remembered(database_url) >= first

        stage.clock.move(timedelta(days=2))
        await running.keeper.look()
        assert not await _remembered(database_url) & first
        assert f"{id} is ready" in str(await stage.workspace.command("rosa", f"status {id}"))
