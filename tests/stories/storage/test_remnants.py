"""What was sealed and is gone stands in no file of the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from bot.playground.clock import MovableClock
from bot.storage import rows, secrets
from bot.storage.secrets import Purpose
from bot.storage.tables import seen_events
from tests.support.concurrency import URL
from tests.support.factories import NOON, ROSA
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env

PATIENCE_SECONDS = 20.0


def _files(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("aad-setup.db*"))


class Kept(NamedTuple):
    """A registration that is ready, and its secret as it is sealed."""

    env: RegistrarEnv
    id: str
    sealed: bytes


@pytest.fixture
async def kept(tmp_path: Path, clock: MovableClock) -> AsyncIterator[Kept]:
    async with opened(_url(tmp_path)) as database:
        env = registrar_env(database, clock)
        id = await env.ready()
        secret = await env.newest_secret(id)
        sealed = (await database.read(secrets.sealed, secret.id, Purpose.SECRET)).data
        assert sealed is not None
        assert sealed in _files(tmp_path)
        yield Kept(env, id, sealed)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - a file wakes nobody
            await asyncio.sleep(0.01)


def _url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'aad-setup.db'}"


async def test_after_a_reveal_the_sealed_secret_is_in_no_file(tmp_path: Path, kept: Kept) -> None:
    await kept.env.registrar.secrets.reveal(kept.id, by=ROSA, answer_to=URL)
    await _until(lambda: kept.sealed not in _files(tmp_path))


async def test_a_reader_puts_it_off_and_keeps_nobody_waiting(tmp_path: Path, kept: Kept) -> None:
    async with kept.env.database.reading() as tx:
        await tx.execute(sa.select(seen_events))
        await kept.env.registrar.secrets.reveal(kept.id, by=ROSA, answer_to=URL)  # it does not wait
        await kept.env.database.write(rows.insert, seen_events, event_id="Ev1", at=NOON)
        assert kept.sealed in _files(tmp_path)
    await _until(lambda: kept.sealed not in _files(tmp_path))


async def test_what_a_killed_process_left_goes_at_the_next_start(
    tmp_path: Path, kept: Kept
) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    async with kept.env.database.reading() as tx:
        await tx.execute(sa.select(seen_events))
        await kept.env.registrar.secrets.reveal(kept.id, by=ROSA, answer_to=URL)
        for name in ("aad-setup.db", "aad-setup.db-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    assert kept.sealed in _files(crashed)
    async with opened(_url(crashed)):
        await _until(lambda: kept.sealed not in _files(crashed))


async def test_a_secret_that_is_revoked_unseen_leaves_nothing(tmp_path: Path, kept: Kept) -> None:
    await kept.env.registrar.revocation.revoke(kept.id, by=ROSA)
    await _until(lambda: kept.sealed not in _files(tmp_path))
