"""A transaction is everything or nothing, and reading is only reading."""

import asyncio

import pytest
import sqlalchemy as sa

from bot.domain.events import Event
from bot.domain.registration import Status
from bot.storage import history, registrations, runs
from bot.storage.database import Database
from bot.storage.tables import seen_events
from tests.support.factories import NOON
from tests.support.registrar_env import RegistrarEnv


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
    insert = sa.insert(seen_events).values(event_id="Ev1", at=NOON)
    async with database.reading() as tx:
        with pytest.raises(sa.exc.DBAPIError):
            await tx.execute(insert)


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
