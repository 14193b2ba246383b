"""Transactions are everything or nothing, a database that closes ends them, and slots."""

import asyncio
import gc
from collections.abc import AsyncIterator

import psycopg
import pytest
import sqlalchemy as sa
import structlog.testing

from bot.domain.events import Event
from bot.domain.registration import Status
from bot.storage import history, installation, registrations, rows, runs
from bot.storage.database import Database
from bot.storage.tables import seen_events
from bot.worker import replicas
from bot.worker.loops import run_guarded
from tests.support.factories import NOON
from tests.support.postgres import plain
from tests.support.registrar_env import RegistrarEnv, opened


class Interrupted(Exception):
    """Something went wrong in the middle."""


async def test_what_breaks_off_leaves_nothing_behind(env: RegistrarEnv) -> None:
    id = await env.pending()
    before = await env.found(id)

    async def break_off() -> None:
        async with env.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            await registrations.move(tx, id, Status.APPROVED)
            await history.write(tx, id, Event.APPROVED, now=NOON)
            raise Interrupted

    with pytest.raises(Interrupted):
        await break_off()
    assert await env.found(id) == before


async def test_reading_cannot_write(database: Database) -> None:
    async with database.reading() as tx:
        with pytest.raises(sa.exc.DBAPIError):
            await rows.insert(tx, seen_events, event_id="Ev1", at=NOON)


async def test_a_reader_is_not_kept_waiting_by_a_writer(env: RegistrarEnv) -> None:
    id = await env.pending()
    async with env.database.transaction() as tx:
        await registrations.move(tx, id, Status.APPROVED)
        async with asyncio.timeout(60):
            assert (await env.found(id)).status is Status.PENDING
    assert (await env.found(id)).status is Status.APPROVED


async def test_whoever_locks_second_sees_what_the_first_one_did(env: RegistrarEnv) -> None:
    id = await env.pending()
    locked, seen = asyncio.Event(), []

    async def first() -> None:
        async with env.database.transaction() as tx:
            await registrations.locked(tx, id)
            locked.set()
            await registrations.move(tx, id, Status.APPROVED)

    async def second() -> None:
        await locked.wait()
        async with env.database.transaction() as tx:
            found = await registrations.locked(tx, id)
            assert found is not None
            seen.append(found.status)

    await asyncio.gather(second(), first())
    assert seen == [Status.APPROVED]


async def test_many_transactions_at_once_stand_in_line(env: RegistrarEnv) -> None:
    """More than the pool has connections, each raising one counter."""
    id = await env.pending()
    before = (await env.found(id)).version

    async def raise_it() -> None:
        async with env.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            assert not await runs.is_busy(tx, id)

    async with asyncio.timeout(60):
        await asyncio.gather(*(raise_it() for _ in range(60)))
    assert (await env.found(id)).version == before + 60


async def _write(database: Database, event: str, going_on: asyncio.Event) -> None:
    async with database.transaction() as tx:
        await rows.insert(tx, seen_events, event_id=event, at=NOON)
        await going_on.wait()


async def _written(database_url: str) -> list[str]:
    async with opened(database_url) as database, database.reading() as tx:
        return list(await tx.scalars(sa.select(seen_events.c.event_id)))


async def test_a_transaction_that_was_begun_is_waited_for(database_url: str) -> None:
    going_on = asyncio.Event()
    async with opened(database_url) as database:
        inside = asyncio.create_task(_write(database, "inside", going_on))
        in_line = asyncio.create_task(_write(database, "in line", going_on))
        await asyncio.sleep(0)
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        going_on.set()
        await asyncio.gather(inside, in_line, closing)
    gc.collect(1)  # a connection that nobody has closed warns now, and warnings are errors
    assert sorted(await _written(database_url)) == ["in line", "inside"]


async def test_whoever_comes_later_never_gets_in(database_url: str) -> None:
    async with opened(database_url) as database:
        pass
    late = asyncio.create_task(_write(database, "late", asyncio.Event()))
    assert await _written(database_url) == []
    assert not late.done()
    late.cancel()


@pytest.mark.slow
async def test_a_stuck_transaction_does_not_keep_it_open(database_url: str) -> None:
    async with opened(database_url) as database:
        stuck = asyncio.create_task(_write(database, "stuck", asyncio.Event()))
        await asyncio.sleep(0)
        await database.close(seconds=0.5)
        assert stuck.cancelled()
    gc.collect(1)
    assert await _written(database_url) == []


async def test_nor_does_the_log_that_is_to_be_emptied_after_it(database_url: str) -> None:
    inside = asyncio.Event()

    async def stick(database: Database) -> None:
        async with database.transaction():
            inside.set()
            await asyncio.Event().wait()

    async with opened(database_url) as database:
        stuck = asyncio.create_task(stick(database))
        await inside.wait()
        database.committed(leaves=True)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await database.close(seconds=0.2)
        assert stuck.cancelled()
    gc.collect(1)


CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
Server = psycopg.AsyncConnection[tuple[int]]
HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Server]:
    """Somebody who looks into the same database from outside."""
    async with await psycopg.AsyncConnection.connect(
        plain(postgres_url), autocommit=True
    ) as connection:
        yield connection


async def test_sqlite_has_one_slot() -> None:
    async with replicas.taken("sqlite+aiosqlite:///x.db") as slot:
        assert slot.executor == "slot-0"


async def test_replicas_get_different_slots_and_a_free_one_is_used_again(postgres_url: str) -> None:
    async with replicas.taken(postgres_url) as first, replicas.taken(postgres_url) as second:
        assert (first.executor, second.executor) == ("slot-0", "slot-1")
    async with replicas.taken(postgres_url) as again:
        assert again.executor == "slot-0"


async def test_there_are_only_so_many(postgres_url: str, server: Server) -> None:
    for number in range(replicas.SLOTS):
        await server.execute("SELECT pg_advisory_lock(%s, %s)", (replicas.CLASS, number))
    with pytest.raises(replicas.NoSlot, match="16 replicas are running already"):
        await replicas.taken(postgres_url).__aenter__()


async def test_whoever_loses_the_connection_learns_at_once_that_its_slot_is_gone(
    postgres_url: str, server: Server
) -> None:
    lost = asyncio.Event()
    async with replicas.taken(postgres_url, lost=lost.set):
        [(pid,)] = await (await server.execute(HOLDER, (replicas.CLASS,))).fetchall()
        await server.execute("SELECT pg_terminate_backend(%s)", (pid,))
        async with asyncio.timeout(60):
            await lost.wait()


async def test_a_polite_stop_is_no_loss(postgres_url: str) -> None:
    lost = asyncio.Event()
    async with replicas.taken(postgres_url, lost=lost.set):
        await asyncio.sleep(0)
    assert not lost.is_set()


async def test_connections_that_were_cut_in_the_pool_are_replaced(
    postgres_url: str, server: Server
) -> None:
    async with opened(postgres_url) as database:
        await server.execute(CUT)
        assert await database.write(installation.ensure_id, new="one", now=NOON) == "one"
        async with database.reading() as tx:
            assert await tx.scalar(sa.select(1)) == 1


async def test_replicas_that_start_together_on_an_empty_database_migrate_it_once(
    postgres_url: str,
) -> None:
    async def start(new: str) -> str:
        async with opened(postgres_url) as database, database.transaction() as tx:
            return await installation.ensure_id(tx, new=new, now=NOON)

    names = await asyncio.gather(*(start(f"installation{n}") for n in range(4)))
    assert len(set(names)) == 1


async def test_a_restart_of_the_server_is_logged_as_no_bug(
    postgres_url: str, server: Server
) -> None:
    async with opened(postgres_url) as database:

        async def work() -> None:
            async with database.transaction() as tx:
                await server.execute(CUT)
                await tx.execute(sa.select(1))

        async def connect() -> None:
            await psycopg.AsyncConnection.connect("postgresql://127.0.0.1:1/nowhere")

        async def blunder() -> None:
            async with database.transaction() as tx:
                await tx.execute(sa.text("SELECT nothing"))

        with structlog.testing.capture_logs() as logged:
            for it in (work, connect, blunder):
                assert await run_guarded("work", it)
    said = [(it["event"], it["log_level"]) for it in logged]
    assert said == [("database does not answer", "warning")] * 2 + [("bug", "error")]
