"""A run that takes its process along each time is given up, and no other."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.playground.clock import MovableClock
from bot.registration import Status
from bot.runs.beginnings import MOST, Beginnings, NeverEnds
from bot.storage.database import opened
from tests.office import Office, office


@pytest.fixture
async def desk(database_url: str, clock: MovableClock) -> AsyncIterator[Office]:
    async with opened(database_url) as database:
        yield office(database, clock)


class Lives:
    """One run, begun in one process after another."""

    def __init__(self, office: Office, run: str) -> None:
        self.begun = 0
        self._office = office
        self._run = run

    async def die(self, *, is_stopped: bool = False) -> None:
        """Begin it in a process that then dies, or is asked to stop before."""
        life, begun = Beginnings(self._office.database), asyncio.Event()

        async def body(_: str) -> None:
            self.begun += 1
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(life.counted(body)(self._run))
        begins = asyncio.create_task(begun.wait())
        await asyncio.wait((task, begins), return_when=asyncio.FIRST_COMPLETED)
        begins.cancel()
        if is_stopped:
            await life.put_down()
        task.cancel()
        await task  # raises what it has raised by itself


async def test_a_run_is_begun_so_often_and_then_given_up(desk: Office) -> None:
    id = await desk.approved()
    run = await desk.run_of(id)
    lives = Lives(desk, run.id)
    for _ in range(MOST):
        with pytest.raises(asyncio.CancelledError):
            await lives.die()
    with pytest.raises(NeverEnds):
        await lives.die()
    assert lives.begun == MOST
    await desk.runs().died(run.id, "b0b0b0b0")
    found = await desk.found(id)
    assert found.status is Status.FAILED
    assert found.failure is not None
    assert found.failure.bug == "b0b0b0b0"

    await desk.registrar.retry(id, by=desk.approver)  # another run, which may be begun as often
    again = Lives(desk, (await desk.run_of(id)).id)
    with pytest.raises(asyncio.CancelledError):
        await again.die()
    assert again.begun == 1


async def test_a_process_that_is_stopped_was_not_ended_by_its_runs(desk: Office) -> None:
    run = await desk.run_of(await desk.approved())
    other = await desk.run_of(await desk.approved())
    lives = Lives(desk, run.id)
    for _ in range(3 * MOST):
        with pytest.raises(asyncio.CancelledError):
            await lives.die(is_stopped=True)
    assert lives.begun == 3 * MOST
    bystander = Lives(desk, other.id)
    for _ in range(MOST):
        with pytest.raises(asyncio.CancelledError):
            await bystander.die()
    with pytest.raises(NeverEnds):
        await bystander.die()


async def test_a_run_that_has_ended_is_not_begun(desk: Office) -> None:
    id = await desk.approved()
    run = await desk.run_of(id)
    await desk.end_run(id)
    lives = Lives(desk, run.id)
    await lives.die()
    assert lives.begun == 0
