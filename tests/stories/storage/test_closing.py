"""A database that is closed lets those inside end, and nobody in any more."""

import asyncio
import gc

import sqlalchemy as sa

from bot.storage.database import Database
from bot.storage.tables import seen_events
from tests.support.factories import NOON
from tests.support.registrar_env import opened


async def _write(database: Database, event: str, going_on: asyncio.Event) -> None:
    async with database.transaction() as tx:
        await tx.execute(sa.insert(seen_events).values(event_id=event, at=NOON))
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
