"""Health: what makes a process unwell or not ready, and that looking costs nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import sqlalchemy as sa

from bot.server.health import STUCK_SECONDS, Health
from bot.storage.database import Database
from bot.worker.loops import Loop, Wakeup


class Up:
    """An intake that is up, or not."""

    def __init__(self, up: bool = True) -> None:
        self.up = up

    async def start(self) -> None:
        pass

    async def is_up(self) -> bool:
        return self.up

    async def stop(self) -> None:
        pass


class Answering:
    """A database that may keep a question waiting, or break."""

    def __init__(self) -> None:
        self.questions = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.broken = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        self.questions += 1
        await self.goes_on.wait()
        if self.broken:
            raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError("the password is pa55"))
        yield self

    async def execute(self, statement: Any) -> None:
        pass


def health(database: Answering, *, intake: Up | None = None, **more: Any) -> Health:
    return Health(
        transport=intake or Up(), database=cast(Database, database), **{"loops": (), **more}
    )


async def test_ready_is_slack_and_the_database() -> None:
    database, intake = Answering(), Up()
    found = health(database, intake=intake)
    assert await found.readiness_problems() == []
    intake.up = False
    database.broken = True
    assert await found.readiness_problems() == [
        "nothing comes in from Slack",
        "the database does not answer",
    ]


@pytest.mark.slow
async def test_a_database_that_hangs_is_asked_once_and_not_interrupted() -> None:
    database = Answering()
    database.goes_on.clear()
    found = health(database)
    looks = await asyncio.gather(*(found.readiness_problems() for _ in range(20)))
    assert looks == [["the database does not answer"]] * 20
    assert database.questions == 1
    database.goes_on.set()
    await found.settle()
    assert await found.readiness_problems() == []


async def test_a_loop_that_hangs_is_an_ailment_and_one_that_waits_is_not() -> None:
    hanging, looked = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        looked.set()
        await hanging.wait()

    async def look() -> None:
        pass

    stuck = Loop("keeper", hang, wakeup=Wakeup(), every=0.01)
    well = Loop("messages", look, wakeup=Wakeup(), every=60)
    later = [0.0]
    found = health(Answering(), loops=(stuck, well), now=lambda: time.monotonic() + later[0])
    stuck.start()
    await looked.wait()
    assert found.liveness_problems() == []
    later[0] = STUCK_SECONDS + 1
    well.looked_at = time.monotonic() + later[0]
    assert found.liveness_problems() == ["keeper hangs"]
    hanging.set()
    await stuck.stop()
