"""The watermark: an older copy of the database is noticed by what stands outside of it."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.playground.clock import MovableClock
from bot.storage import history, installation
from bot.storage.database import Database, sqlite_path
from bot.storage.watermark import watched, watermark_path
from bot.worker import engine
from tests.support.registrar_env import RegistrarEnv, no_deaths, opened, registrar_env

ANEW = """CREATE TABLE anew (LIKE history INCLUDING ALL); INSERT INTO anew SELECT * FROM history;
DROP TABLE history; ALTER TABLE anew RENAME TO history"""
"""Makes a table as `pg_restore` does: the same rows under another number."""


REFUSE_PLACE = """CREATE TRIGGER killed BEFORE UPDATE OF place ON installation
BEGIN SELECT RAISE(ABORT, 'killed'); END"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}"


@pytest.fixture
async def lone(url: str) -> AsyncIterator[Database]:
    """A database on SQLite, which alone has a file beside it."""
    async with opened(url) as database:
        yield database


async def noticed(database: Database, url: str, clock: MovableClock) -> bool:
    """Start and stop once; return whether a restore was noticed, and forget it."""
    await database.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
    async with watched(database, url, now=clock.now(), every=3600):
        pass
    async with database.transaction() as tx:
        at = await installation.restored_at(tx)
        await installation.end_restore(tx)
    return at is not None


async def noticed_once(database: Database, url: str, clock: MovableClock) -> bool:
    """Do it twice; return whether it was noticed at the first start and not at the second."""
    return await noticed(database, url, clock) and not await noticed(database, url, clock)


async def test_a_database_that_only_grows_is_no_copy(
    env: RegistrarEnv, database_url: str, clock: MovableClock
) -> None:
    assert not await noticed(env.database, database_url, clock)
    await env.ready()
    assert not await noticed(env.database, database_url, clock)
    assert not await noticed(env.database, database_url, clock)


async def test_what_pg_restore_has_made_is_noticed(
    env: RegistrarEnv, database_url: str, clock: MovableClock
) -> None:
    if sqlite_path(database_url) is not None:
        return  # whose copies the other tests are about
    await env.ready()
    assert not await noticed(env.database, database_url, clock)
    async with env.database.transaction() as tx:
        for statement in ANEW.split(";"):
            await tx.execute(sa.text(statement))
    assert await noticed_once(env.database, database_url, clock)


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"place": "elsewhere", "entries": 0}'])
async def test_a_database_without_its_file_may_be_a_copy(
    lone: Database, url: str, clock: MovableClock, content: str | None
) -> None:
    file = watermark_path(url)
    assert file is not None
    assert not await noticed(lone, url, clock)
    assert not await noticed(lone, url, clock)
    await asyncio.to_thread(file.unlink)
    if content is not None:
        await asyncio.to_thread(file.write_text, content)
    assert await noticed_once(lone, url, clock)


async def test_a_database_that_forgot_its_place_may_be_a_copy(
    lone: Database, url: str, clock: MovableClock
) -> None:
    """One from before there were places, or whose place somebody has taken away."""
    assert not await noticed(lone, url, clock)
    async with lone.transaction() as tx:
        await tx.execute(sa.text("UPDATE installation SET place = NULL"))
    assert await noticed_once(lone, url, clock)


async def test_a_first_start_that_was_killed_is_no_copy(
    tmp_path: Path, lone: Database, url: str, clock: MovableClock
) -> None:
    """Between the file and the commit: the transaction was rolled back, the file is there."""
    async with lone.transaction() as tx:
        await installation.ensure_id(tx, new="aaaabbbbcccc", now=clock.now())
        await tx.execute(sa.text(REFUSE_PLACE))
    with pytest.raises(sa.exc.IntegrityError, match="killed"):
        await noticed(lone, url, clock)
    async with lone.transaction() as tx:
        await tx.execute(sa.text("DROP TRIGGER killed"))
    assert "aad-setup-watermark.json" in _modes(tmp_path)
    assert not await noticed(lone, url, clock)
    assert not await noticed(lone, url, clock)


async def test_a_shorter_history_than_there_was_is_a_copy_s(
    lone: Database, url: str, clock: MovableClock
) -> None:
    assert not await noticed(lone, url, clock)
    id = await registrar_env(lone, clock).ready()
    assert not await noticed(lone, url, clock)
    async with lone.transaction() as tx:
        last = len(await history.read(tx, id))
        await tx.execute(sa.text(f"DELETE FROM history WHERE seq = {last}"))
    assert await noticed_once(lone, url, clock)


async def test_new_files_can_be_read_by_their_owner_only(
    tmp_path: Path, url: str, clock: MovableClock
) -> None:
    before = os.umask(0)
    try:
        async with (
            opened(url) as database,
            engine.running(engine.url_of(url), executor="none", jobs={}, died=no_deaths),
        ):
            assert not await noticed(database, url, clock)
            modes = _modes(tmp_path)
    finally:
        os.umask(before)
    assert {"aad-setup.db-wal", "aad-setup-engine.db", "aad-setup-watermark.json"} <= set(modes)
    assert set(modes.values()) == {"0o600"}, modes


def _modes(folder: Path) -> dict[str, str]:
    return {it.name: oct(stat.S_IMODE(it.stat().st_mode)) for it in folder.iterdir()}
