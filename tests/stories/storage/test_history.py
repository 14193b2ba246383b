"""History: who did what, chained so that nobody can change the past unseen."""

from bot.domain.events import Event
from bot.storage import history
from tests.support.factories import ADA
from tests.support.history_checks import is_whole
from tests.support.registrar_env import RegistrarEnv


async def test_every_verb_adds_to_the_chain_of_its_registration(env: RegistrarEnv) -> None:
    for id in (await env.ready(), await env.approved()):
        entries = await env.database.read(history.read, id)
        assert [entry.what for entry in entries] == ["submitted", "planned", "approved"]
        assert [entry.seq for entry in entries] == [1, 2, 3]
        assert entries[2].user_id == "U0ADA"
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
