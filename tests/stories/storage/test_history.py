"""History: who did what, chained so that nobody can change the past unseen."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.events import Event
from bot.storage import history
from bot.storage.database import Database
from bot.storage.history import Entry
from bot.storage.tables import history as table
from tests.support.factories import ADA
from tests.support.history_checks import is_whole
from tests.support.registrar_env import RegistrarEnv


async def _entries(database: Database, id: str) -> list[Entry]:
    return list(await database.read(history.read, id))


async def test_every_verb_adds_to_the_chain(env: RegistrarEnv) -> None:
    id = await env.ready()
    entries = await _entries(env.database, id)
    assert [entry.what for entry in entries] == ["submitted", "planned", "approved"]
    assert entries[2].user_id == "U0ADA"
    assert is_whole(id, entries)


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "U0GRACE"},
        {"what": "denied"},
        {"details": {"digest": "another"}},
        {"at": "later"},
    ],
    ids=str,
)
async def test_a_changed_entry_shows(env: RegistrarEnv, change: dict[str, object]) -> None:
    id = await env.approved()
    if "at" in change:
        change = {"at": env.clock.now() + timedelta(days=1)}
    async with env.database.transaction() as tx:
        await tx.execute(sa.update(table).where(table.c.seq == 2).values(**change))
    assert not is_whole(id, await _entries(env.database, id))


async def test_a_removed_entry_shows(env: RegistrarEnv) -> None:
    id = await env.approved()
    async with env.database.transaction() as tx:
        await tx.execute(sa.delete(table).where(table.c.seq == 1))
    assert not is_whole(id, await _entries(env.database, id))


async def test_each_registration_has_a_chain_of_its_own(env: RegistrarEnv) -> None:
    ids = [await env.approved() for _ in range(2)]
    for id in ids:
        entries = await _entries(env.database, id)
        assert [entry.seq for entry in entries] == [1, 2, 3]
        assert is_whole(id, entries)


async def test_history_is_told_newest_first(env: RegistrarEnv) -> None:
    id, other = await env.approved(), await env.pending()
    async with env.database.reading() as tx:
        whole = await history.recent(tx, limit=10)
        one = await history.recent(tx, limit=1, registration=id)
        nobodys = await history.recent(tx, limit=10, only_of=ADA)
    assert {at for at, _ in whole.entries} == {id, other}
    assert [entry.what for _, entry in one.entries] == ["approved"]
    assert one.total == 3
    assert nobodys.total == 0


async def test_of_one_moment_the_last_entry_is_told_first(env: RegistrarEnv) -> None:
    id = await env.submitted()
    now = env.clock.now()
    async with env.database.transaction() as tx:
        for event in (Event.REMINDED, Event.CANCELLED):
            await history.write(tx, id, event, now=now)
        told = await history.recent(tx, limit=3)
    assert [entry.what for _, entry in told.entries] == ["cancelled", "reminded", "submitted"]
