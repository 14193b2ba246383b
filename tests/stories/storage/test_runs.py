"""Runs: what they tell of how long the next one takes."""

from bot.domain.registration import RunOutcome
from bot.domain.runs import RunKind
from bot.storage import runs
from tests.support.registrar_env import Office


async def test_only_runs_that_made_an_application_say_how_long_that_takes(desk: Office) -> None:
    id = await desk.ready()
    await desk.failed()
    await desk.owe(id, RunKind.REPLACE_SECRET)
    await desk.end_run(id, RunOutcome.HANDED_OVER)
    async with desk.database.reading() as tx:
        assert len(await runs.durations(tx)) == 1
