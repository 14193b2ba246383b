"""Deleting old rows: in small transactions, and never what belongs to something alive."""

from datetime import timedelta

import sqlalchemy as sa

from bot.domain.registration import Status
from bot.storage import registrations, retention
from bot.storage.tables import history as entries
from bot.storage.tables import runs
from tests.support.factories import ROSA
from tests.support.registrar_env import RegistrarEnv

YEAR = timedelta(days=365)


async def test_what_is_deleted_goes_in_small_transactions(env: RegistrarEnv) -> None:
    ids = [await env.failed() for _ in range(5)]
    async with env.database.transaction() as tx:
        for id in ids:
            await registrations.move(tx, id, Status.UNDONE)
    env.clock.move(YEAR)
    await retention.delete_old(env.database, before=env.clock.now(), batch=2)
    async with env.database.reading() as tx:
        assert not (await tx.scalars(sa.select(runs.c.id))).all()
        assert len((await tx.scalars(sa.select(entries.c.registration))).all()) > len(ids)
    await env.registrar.submission.form_of(ids[0], by=ROSA)
