"""Runs: what they tell of how long the next one takes."""

from bot.domain.registration import RunOutcome
from bot.domain.runs import RunKind
from bot.storage import runs
from tests.support.registrar_env import RegistrarEnv


async def test_only_runs_that_made_an_application_say_how_long_that_takes(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    await env.failed()
    await env.owe(id, RunKind.REPLACE_SECRET)
    await env.end_run(id, RunOutcome.HANDED_OVER)
    async with env.database.reading() as tx:
        assert len(await runs.durations(tx)) == 1
