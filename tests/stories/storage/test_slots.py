"""Slots: each replica has one of its own, and nobody works without."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import sqlalchemy as sa
import structlog.testing

from bot.storage import installation
from bot.worker import replicas
from bot.worker.loops import run_guarded
from tests.support.factories import NOON
from tests.support.postgres import plain
from tests.support.registrar_env import opened

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[int]]]:
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


async def test_there_are_only_so_many(postgres_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(
        plain(postgres_url), autocommit=True
    ) as others:
        for number in range(replicas.SLOTS):
            await others.execute("SELECT pg_advisory_lock(%s, %s)", (replicas.CLASS, number))
        with pytest.raises(replicas.NoSlot, match="16 replicas are running already"):
            await replicas.taken(postgres_url).__aenter__()


async def test_whoever_loses_the_connection_learns_at_once_that_its_slot_is_gone(
    postgres_url: str, server: psycopg.AsyncConnection[tuple[int]]
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
    postgres_url: str, server: psycopg.AsyncConnection[tuple[int]]
) -> None:
    async with opened(postgres_url) as database:
        await server.execute(CUT)
        async with database.transaction() as tx:
            assert await installation.ensure_id(tx, new="one", now=NOON) == "one"
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
    postgres_url: str, server: psycopg.AsyncConnection[tuple[int]]
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
