"""Health: what storage can tell of the bot itself."""

import sqlalchemy as sa

from bot.storage import health
from bot.storage.tables import runs
from tests.support.registrar_env import RegistrarEnv


async def test_health_counts_what_is_owed(env: RegistrarEnv) -> None:
    async with env.database.reading() as tx:
        fresh = await health.read(tx)
    assert (fresh.open_runs, fresh.owed_messages, fresh.last_run_at) == (0, 0, None)
    await env.ready()
    await env.submitted()
    async with env.database.reading() as tx:
        found = await health.read(tx)
    assert (found.open_runs, found.sealed_secrets) == (1, 1)
    assert found.owed_messages > 0
    assert found.last_run_failed is None
    failed = await env.failed()
    async with env.database.transaction() as tx:
        await tx.execute(
            sa.update(runs).where(runs.c.registration == failed).values(outcome="AADSTS7000215")
        )
    async with env.database.reading() as tx:
        assert (await health.read(tx)).last_run_failed == "AADSTS7000215"
