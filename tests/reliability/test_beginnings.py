"""A run that takes its process along each time is given up, and no other."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import sqlalchemy as sa

from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.runs.batch_writer import BatchWriter, Entry
from bot.storage import runs
from bot.storage.runs import PlannedStep
from bot.storage.tables import runs as table
from bot.worker.attempts import MOST, SUSPECT, TURN_SECONDS, Attempts, TooManyAttempts
from graph.errors import NotThereYet
from graph.retry import retry
from tests.support.graph_fakes import EPOCH
from tests.support.registrar_env import Office, office, opened


@pytest.fixture
async def desk(database_url: str, clock: MovableClock) -> AsyncIterator[Office]:
    async with opened(database_url) as database:
        yield office(database, clock)


class Life:
    """One process: what is begun in it works until it is told to end, or the process dies."""

    def __init__(self, desk: Office, *, turn_seconds: float = TURN_SECONDS) -> None:
        self._beginnings = Attempts(desk.database, turn_seconds=turn_seconds)
        self._works: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._ends: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.tasks: dict[str, asyncio.Future[None]] = {}
        self.body = self._beginnings.counted(self._work)

    @property
    def at_work(self) -> set[str]:
        return {run for run, works in self._works.items() if works.is_set()}

    def resume(self, *ids: str) -> None:
        for run in ids:
            self.tasks[run] = asyncio.ensure_future(self.body(run))

    async def begin(self, run: str) -> None:
        """Return when it works, or was not begun; raise what it raises instead."""
        self.resume(run)
        await self.works(run)

    async def works(self, run: str) -> None:
        works = asyncio.create_task(self._works[run].wait())
        await asyncio.wait((self.tasks[run], works), return_when=asyncio.FIRST_COMPLETED)
        works.cancel()
        if self.tasks[run].done():
            await self.tasks[run]

    async def end(self, run: str) -> None:
        self._ends[run].set()
        await self.tasks[run]

    async def put_down(self) -> None:
        await self._beginnings.uncount()

    async def die(self, *, is_stopped: bool = False) -> None:
        if is_stopped:
            await self.put_down()
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    async def _work(self, run: str) -> None:
        self._works[run].set()
        await self._ends[run].wait()


class Waiting(Life):
    """One process, whose runs wait for Entra before they do anything else."""

    def __init__(self, desk: Office, waits: asyncio.Event) -> None:
        super().__init__(desk)
        self.time = asyncio.Event()
        self._waits = waits

    def now(self) -> datetime:
        return EPOCH

    async def sleep(self, seconds: float) -> None:
        self._waits.set()
        await self.time.wait()

    async def _work(self, run: str) -> None:
        await retry(self._answer, clock=self, wait=lambda *_: 60.0)
        await super()._work(run)

    async def _answer(self) -> None:
        if not self.time.is_set():
            raise NotThereYet


async def _run(desk: Office) -> str:
    return (await desk.run_of(await desk.approved())).id


async def _suspect(desk: Office) -> str:
    """Return a run that was at work when its process died, SUSPECT times."""
    run = await _run(desk)
    for _ in range(SUSPECT):
        life = Life(desk)
        await life.begin(run)
        await life.die()
    return run


async def _begun(desk: Office, *ids: str) -> list[int]:
    async with desk.database.reading() as tx:
        return [await runs.attempts(tx, run) for run in ids]


async def test_a_run_is_begun_so_often_and_then_given_up(desk: Office) -> None:
    id = await desk.approved()
    run = (await desk.run_of(id)).id
    for _ in range(MOST):
        life = Life(desk)
        await life.begin(run)
        assert life.at_work == {run}
        await life.die()
    life = Life(desk)
    with pytest.raises(TooManyAttempts):
        await life.begin(run)
    assert not life.at_work
    await desk.runs().died(run, "b0b0b0b0")
    found = await desk.found(id)
    assert found.status is Status.FAILED
    assert found.failure is not None
    assert found.failure.bug == "b0b0b0b0"

    await desk.registrar.retry(id, by=desk.approver)  # another run, which may be begun as often
    again = (await desk.run_of(id)).id
    await life.begin(again)
    assert life.at_work == {again}
    await life.die()


async def test_what_is_at_work_beside_it_is_not_given_up(desk: Office) -> None:
    killer, one, other = [await _run(desk) for _ in range(3)]
    for death in range(MOST):
        life, newcomer = Life(desk), await _run(desk)
        await life.begin(killer)
        life.resume(one, other)
        if death < SUSPECT:
            await life.works(one)
            await life.works(other)
        await life.begin(newcomer)  # whatever it stands beside
        await life.die()
    life = Life(desk)
    await life.begin(one)
    life.resume(other)
    with pytest.raises(TooManyAttempts):  # nobody's turn has to be waited for
        await life.begin(killer)
    for run in (one, other):
        await life.works(run)
        await life.end(run)
    assert await _begun(desk, one, other) == [SUSPECT + 1] * 2


async def test_two_replicas_have_a_turn_each(desk: Office) -> None:
    """The one that it kills first takes nobody along, nor does the one that it comes to then."""
    killer, one, other = [await _suspect(desk) for _ in range(3)]
    first, second = Life(desk), Life(desk)
    await second.begin(one)
    await first.begin(killer)
    first.resume(other)
    await first.begin(await _run(desk))
    await first.die()
    second.resume(killer)
    await second.begin(await _run(desk))
    assert killer not in second.at_work
    second.resume(other)
    await second.end(one)
    await second.works(killer)
    await second.die()
    assert await _begun(desk, killer, one, other) == [SUSPECT + 2, SUSPECT + 1, SUSPECT]


async def test_a_suspect_that_hangs_does_not_keep_the_others_for_ever(desk: Office) -> None:
    one, other = await _suspect(desk), await _suspect(desk)
    life = Life(desk, turn_seconds=0.0)
    await life.begin(one)
    await life.begin(other)
    assert life.at_work == {one, other}
    await life.end(one)
    await life.begin(await _suspect(desk))
    await life.die()


async def test_a_process_that_is_stopped_was_not_ended_by_its_runs(desk: Office) -> None:
    newcomer, suspect, waiting = await _run(desk), await _suspect(desk), await _suspect(desk)
    for _ in range(3 * MOST):
        life = Life(desk)
        await life.begin(suspect)
        life.resume(waiting)
        await life.begin(newcomer)
        assert life.at_work == {suspect, newcomer}
        await life.die(is_stopped=True)
    assert await _begun(desk, newcomer, suspect, waiting) == [0, SUSPECT, SUSPECT]


async def test_waiting_for_entra_is_no_fault_of_a_run(desk: Office) -> None:
    """However often it is killed while it waits; what it does between two waits counts."""
    run, deaths = await _run(desk), 3 * MOST
    for _ in range(deaths):
        waits = asyncio.Event()
        life = Waiting(desk, waits)
        life.resume(run)
        await waits.wait()
        assert await _begun(desk, run) == [0]
        await life.die()
    life = Waiting(desk, waits := asyncio.Event())
    life.resume(run)
    await waits.wait()
    life.time.set()
    await life.works(run)
    assert await _begun(desk, run) == [1]
    await life.end(run)


async def test_a_stop_while_a_run_waits_counts_nothing(desk: Office) -> None:
    suspect = await _suspect(desk)
    life = Waiting(desk, waits := asyncio.Event())
    life.resume(suspect)
    await waits.wait()
    await life.put_down()
    life.time.set()
    await life.works(suspect)
    await life.end(suspect)
    assert await _begun(desk, suspect) == [SUSPECT]


async def test_nothing_begins_once_the_process_stops(desk: Office) -> None:
    """What would begin then would count as begun in vain."""
    suspect, waiting, late = await _suspect(desk), await _suspect(desk), await _suspect(desk)
    newcomer = await _run(desk)
    life = Life(desk)
    await life.begin(suspect)
    life.resume(waiting)
    await life.begin(await _run(desk))
    await life.put_down()
    life.resume(late, newcomer)
    await life.end(suspect)
    for run in (waiting, late, newcomer):
        with pytest.raises(asyncio.CancelledError):
            await life.works(run)
    assert await _begun(desk, waiting, late, newcomer) == [SUSPECT, SUSPECT, 0]
    await life.die()


async def test_a_run_that_has_ended_is_not_begun(desk: Office) -> None:
    id = await desk.approved()
    run = await desk.run_of(id)
    await desk.end_run(id)
    life = Life(desk)
    await life.begin(run.id)
    assert not life.at_work


@pytest.mark.parametrize(("lasting", "begun"), [(True, 0), (False, SUSPECT)])
async def test_a_run_that_gets_on_is_no_suspect(desk: Office, lasting: bool, begun: int) -> None:
    """A secret that it has made is forgotten when it fails: that is not to get on."""
    run = await _suspect(desk)
    async with desk.database.transaction() as tx:
        found = await runs.get(tx, run)
        assert found is not None
        await runs.list_steps(
            tx, found, [PlannedStep(stage=0, name="step", title="Step", lasting=lasting)]
        )
    entry = Entry(run=found, step="step", facts={}, lasting=lasting)
    recorder = BatchWriter(desk.database, desk.clock)
    assert await recorder.record(entry)
    assert await _begun(desk, run) == [begun]

    async with desk.database.transaction() as tx:
        await tx.execute(sa.update(table).values(begun=SUSPECT))
    assert not await recorder.record(entry)  # which it knew before
    assert await _begun(desk, run) == [SUSPECT]


async def test_a_database_that_is_away_while_a_call_waits_ends_no_run(desk: Office) -> None:
    run, waits = await _run(desk), asyncio.Event()
    life = Waiting(desk, waits)
    life.resume(run)
    await waits.wait()
    for name, renamed in (("runs", "away"), ("away", "runs")):
        async with desk.database.transaction() as tx:
            await tx.execute(sa.text(f"ALTER TABLE {name} RENAME TO {renamed}"))
        if renamed == "away":
            life.time.set()
            await life.works(run)
    assert life.at_work == {run}
    await life.end(run)
