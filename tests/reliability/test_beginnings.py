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
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env


@pytest.fixture
async def env(database_url: str, clock: MovableClock) -> AsyncIterator[RegistrarEnv]:
    async with opened(database_url) as database:
        yield registrar_env(database, clock)


class Life:
    """One process: what is begun in it works until it is told to end, or the process dies."""

    def __init__(self, env: RegistrarEnv, *, turn_seconds: float = TURN_SECONDS) -> None:
        self._beginnings = Attempts(env.database, turn_seconds=turn_seconds)
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

    def __init__(self, env: RegistrarEnv, waits: asyncio.Event) -> None:
        super().__init__(env)
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


async def _run(env: RegistrarEnv) -> str:
    return (await env.run_of(await env.approved())).id


async def _suspect(env: RegistrarEnv) -> str:
    """Return a run that was at work when its process died, SUSPECT times."""
    run = await _run(env)
    for _ in range(SUSPECT):
        life = Life(env)
        await life.begin(run)
        await life.die()
    return run


async def _begun(env: RegistrarEnv, *ids: str) -> list[int]:
    async with env.database.reading() as tx:
        return [await runs.attempts(tx, run) for run in ids]


async def test_a_run_is_begun_so_often_and_then_given_up(env: RegistrarEnv) -> None:
    id = await env.approved()
    run = (await env.run_of(id)).id
    for _ in range(MOST):
        life = Life(env)
        await life.begin(run)
        assert life.at_work == {run}
        await life.die()
    life = Life(env)
    with pytest.raises(TooManyAttempts):
        await life.begin(run)
    assert not life.at_work
    await env.runs().died(run, "b0b0b0b0")
    found = await env.found(id)
    assert found.status is Status.FAILED
    assert found.failure is not None
    assert found.failure.bug == "b0b0b0b0"

    await env.registrar.retry(id, by=env.approver)  # another run, which may be begun as often
    again = (await env.run_of(id)).id
    await life.begin(again)
    assert life.at_work == {again}
    await life.die()


async def test_what_is_at_work_beside_it_is_not_given_up(env: RegistrarEnv) -> None:
    killer, one, other = [await _run(env) for _ in range(3)]
    for death in range(MOST):
        life, newcomer = Life(env), await _run(env)
        await life.begin(killer)
        life.resume(one, other)
        if death < SUSPECT:
            await life.works(one)
            await life.works(other)
        await life.begin(newcomer)  # whatever it stands beside
        await life.die()
    life = Life(env)
    await life.begin(one)
    life.resume(other)
    with pytest.raises(TooManyAttempts):  # nobody's turn has to be waited for
        await life.begin(killer)
    for run in (one, other):
        await life.works(run)
        await life.end(run)
    assert await _begun(env, one, other) == [SUSPECT + 1] * 2


async def test_two_replicas_have_a_turn_each(env: RegistrarEnv) -> None:
    """The one that it kills first takes nobody along, nor does the one that it comes to then."""
    killer, one, other = [await _suspect(env) for _ in range(3)]
    first, second = Life(env), Life(env)
    await second.begin(one)
    await first.begin(killer)
    first.resume(other)
    await first.begin(await _run(env))
    await first.die()
    second.resume(killer)
    await second.begin(await _run(env))
    assert killer not in second.at_work
    second.resume(other)
    await second.end(one)
    await second.works(killer)
    await second.die()
    assert await _begun(env, killer, one, other) == [SUSPECT + 2, SUSPECT + 1, SUSPECT]


async def test_a_suspect_that_hangs_does_not_keep_the_others_for_ever(env: RegistrarEnv) -> None:
    one, other = await _suspect(env), await _suspect(env)
    life = Life(env, turn_seconds=0.0)
    await life.begin(one)
    await life.begin(other)
    assert life.at_work == {one, other}
    await life.end(one)
    await life.begin(await _suspect(env))
    await life.die()


async def test_a_process_that_is_stopped_was_not_ended_by_its_runs(env: RegistrarEnv) -> None:
    newcomer, suspect, waiting = await _run(env), await _suspect(env), await _suspect(env)
    for _ in range(3 * MOST):
        life = Life(env)
        await life.begin(suspect)
        life.resume(waiting)
        await life.begin(newcomer)
        assert life.at_work == {suspect, newcomer}
        await life.die(is_stopped=True)
    assert await _begun(env, newcomer, suspect, waiting) == [0, SUSPECT, SUSPECT]


async def test_waiting_for_entra_is_no_fault_of_a_run(env: RegistrarEnv) -> None:
    """However often it is killed while it waits; what it does between two waits counts."""
    run, deaths = await _run(env), 3 * MOST
    for _ in range(deaths):
        waits = asyncio.Event()
        life = Waiting(env, waits)
        life.resume(run)
        await waits.wait()
        assert await _begun(env, run) == [0]
        await life.die()
    life = Waiting(env, waits := asyncio.Event())
    life.resume(run)
    await waits.wait()
    life.time.set()
    await life.works(run)
    assert await _begun(env, run) == [1]
    await life.end(run)


async def test_a_stop_while_a_run_waits_counts_nothing(env: RegistrarEnv) -> None:
    suspect = await _suspect(env)
    life = Waiting(env, waits := asyncio.Event())
    life.resume(suspect)
    await waits.wait()
    await life.put_down()
    life.time.set()
    await life.works(suspect)
    await life.end(suspect)
    assert await _begun(env, suspect) == [SUSPECT]


async def test_nothing_begins_once_the_process_stops(env: RegistrarEnv) -> None:
    """What would begin then would count as begun in vain."""
    suspect, waiting, late = await _suspect(env), await _suspect(env), await _suspect(env)
    newcomer = await _run(env)
    life = Life(env)
    await life.begin(suspect)
    life.resume(waiting)
    await life.begin(await _run(env))
    await life.put_down()
    life.resume(late, newcomer)
    await life.end(suspect)
    for run in (waiting, late, newcomer):
        with pytest.raises(asyncio.CancelledError):
            await life.works(run)
    assert await _begun(env, waiting, late, newcomer) == [SUSPECT, SUSPECT, 0]
    await life.die()


async def test_a_run_that_has_ended_is_not_begun(env: RegistrarEnv) -> None:
    id = await env.approved()
    run = await env.run_of(id)
    await env.end_run(id)
    life = Life(env)
    await life.begin(run.id)
    assert not life.at_work


@pytest.mark.parametrize(("lasting", "begun"), [(True, 0), (False, SUSPECT)])
async def test_a_run_that_gets_on_is_no_suspect(
    env: RegistrarEnv, lasting: bool, begun: int
) -> None:
    """A secret that it has made is forgotten when it fails: that is not to get on."""
    run = await _suspect(env)
    async with env.database.transaction() as tx:
        found = await runs.get(tx, run)
        assert found is not None
        await runs.list_steps(
            tx, found, [PlannedStep(stage=0, name="step", title="Step", lasting=lasting)]
        )
    entry = Entry(run=found, step="step", facts={}, lasting=lasting)
    recorder = BatchWriter(env.database, env.clock)
    assert await recorder.record(entry)
    assert await _begun(env, run) == [begun]

    async with env.database.transaction() as tx:
        await tx.execute(sa.update(table).values(begun=SUSPECT))
    assert not await recorder.record(entry)  # which it knew before
    assert await _begun(env, run) == [SUSPECT]


async def test_a_database_that_is_away_while_a_call_waits_ends_no_run(env: RegistrarEnv) -> None:
    run, waits = await _run(env), asyncio.Event()
    life = Waiting(env, waits)
    life.resume(run)
    await waits.wait()
    for name, renamed in (("runs", "away"), ("away", "runs")):
        async with env.database.transaction() as tx:
            await tx.execute(sa.text(f"ALTER TABLE {name} RENAME TO {renamed}"))
        if renamed == "away":
            life.time.set()
            await life.works(run)
    assert life.at_work == {run}
    await life.end(run)
