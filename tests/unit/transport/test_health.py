"""Health: what makes a process unwell or not ready, and that looking costs nothing."""

import asyncio
import time

import pytest

from bot.server.http_server import STUCK_SECONDS
from bot.worker.loops import Loop
from tests.support.health_checks import Answering, Up, health


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

    stuck = Loop("scheduler", hang, every=0.01)
    well = Loop("messages", look, every=60)
    later = [0.0]
    found = health(Answering(), loops=(stuck, well), now=lambda: time.monotonic() + later[0])
    stuck.start()
    await looked.wait()
    assert found.liveness_problems() == []
    later[0] = STUCK_SECONDS + 1
    well.looked_at = time.monotonic() + later[0]
    assert found.liveness_problems() == ["scheduler hangs"]
    hanging.set()
    await stuck.stop()


async def test_a_loop_makes_a_pause_before_a_look_unless_it_is_told_to_look_now() -> None:
    looks: asyncio.Queue[None] = asyncio.Queue()

    async def look() -> None:
        looks.put_nowait(None)

    loop = Loop("messages", look, every=60, calm=60)
    loop.start()
    await looks.get()
    loop.look_now()
    await looks.get()
    await loop.stop()
