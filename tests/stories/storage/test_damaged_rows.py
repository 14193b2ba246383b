"""One row that cannot be read, and everything beside it that goes on."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.settings.env_reader import Reader
from bot.storage import message_queue, messages, rows
from bot.storage.database import UnusableDatabase
from bot.storage.messages import MessageKind
from bot.storage.queries import ListKind
from bot.storage.tables import messages as owed
from bot.storage.tables import registrations, runs, timers
from bot.storage.timers import TimerKind
from bot.worker.scheduler import AT_ONCE
from tests.support.factories import ROSA
from tests.support.postgres import plain
from tests.support.registrar_env import IdleEngine, RegistrarEnv, opened, registrar_env

NONSENSE = "of a later one"


async def damage(env: RegistrarEnv, table: sa.Table, id: str) -> None:
    """Give the rows of a registration a kind that nobody knows."""
    await env.database.write(rows.update, table, table.c.registration == id, kind=NONSENSE)


async def test_a_run_that_cannot_be_read_keeps_no_other_waiting(env: RegistrarEnv) -> None:
    broken, fine = await env.approved(), await env.approved()
    run = await env.run_of(fine)
    await damage(env, runs, broken)
    engine = IdleEngine()
    await env.scheduler(engine).look()
    assert engine.started == [run.id]


async def test_timers_that_cannot_be_read_keep_no_other_waiting(env: RegistrarEnv) -> None:
    broken, fine = await env.pending(), await env.pending()
    await damage(env, timers, broken)
    async with env.database.transaction() as tx:
        for n in range(AT_ONCE):
            row = {"registration": broken, "kind": NONSENSE, "at": env.clock.now()}
            await rows.insert(tx, timers, id=f"odd {n}", **row)
    env.clock.move(timedelta(days=2))
    scheduler = env.scheduler()
    await scheduler.look()  # which finds nothing but damage, and puts it off
    await scheduler.look()
    assert (await env.found(fine)).status is Status.EXPIRED
    assert (await env.found(broken)).status is Status.PENDING


async def test_a_timer_that_breaks_is_put_off(env: RegistrarEnv) -> None:
    id = await env.pending()
    row = {"registration": id, "kind": TimerKind.TELL_EXPIRY, "at": env.clock.now()}
    await env.database.write(rows.insert, timers, id="d1", subject="s1:not a number", **row)
    await env.scheduler().look()
    async with env.database.reading() as tx:
        due = sa.select(timers.c.at).where(
            timers.c.kind == TimerKind.TELL_EXPIRY, timers.c.registration == id
        )
        assert (await tx.scalars(due)).one() > env.clock.now()


async def test_a_message_that_cannot_be_read_keeps_no_other_waiting(env: RegistrarEnv) -> None:
    broken, fine = await env.pending(), await env.pending()
    for id in (broken, fine):
        await env.database.write(messages.add, id, MessageKind.CARD)
    await damage(env, owed, broken)
    now, unreadable = env.clock.now(), list[str]()
    stale = await env.database.read(
        message_queue.stale,
        now,
        drawn_before=now,
        limit=99,
        unreadable=lambda id, _: unreadable.append(id),
    )
    assert fine in {each.message.registration for each in stale}
    assert broken not in {each.message.registration for each in stale}
    async with env.database.transaction() as tx:
        await message_queue.postpone(tx, unreadable, now + timedelta(hours=1))
        assert await message_queue.stale(tx, now, drawn_before=now, limit=99) == stale


async def test_a_registration_that_cannot_be_read_hides_no_other(env: RegistrarEnv) -> None:
    broken, fine = await env.pending(), await env.pending()
    await env.database.write(
        rows.update, registrations, registrations.c.id == broken, status=NONSENSE
    )
    listed = await env.registrar.queries.listed(ListKind.MINE, by=ROSA, for_all=False)
    assert [each.id for each in listed.lines] == [fine]
    home = await env.registrar.queries.home({}, by=ROSA)
    assert [each.id for each in home.mine] == [fine]


async def test_bytes_that_are_no_text_are_shown_as_such(
    tmp_path: Path, clock: MovableClock
) -> None:
    file = tmp_path / "aad-setup.db"
    async with opened(f"sqlite+aiosqlite:///{file}") as database:
        env = registrar_env(database, clock)
        broken, fine = await env.pending(), await env.pending()
        with closing(sqlite3.connect(file)) as other, other:
            name = "UPDATE registrations SET requester_name = CAST(X'4dfc' AS TEXT) WHERE id = ?"
            other.execute(name, (broken,))
        listed = await env.registrar.queries.listed(ListKind.MINE, by=ROSA, for_all=False)
        names = {each.id: each.requester.name for each in listed.lines}
        assert names == {broken: "M\ufffd", fine: ROSA.name}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_cannot_hold_every_name_is_refused(
    postgres_server: sa.URL, encoding: str
) -> None:
    name = f"test_{encoding.lower()}"
    with psycopg.connect(plain(postgres_server), autocommit=True) as connection:
        options = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
        try:
            address = postgres_server.set(database=name).render_as_string(hide_password=False)
            url = Reader({"DATABASE_URL": address}).database_url("DATABASE_URL", "")
            with pytest.raises(UnusableDatabase, match="encoding is not UTF8"):
                async with opened(url):
                    pass
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
