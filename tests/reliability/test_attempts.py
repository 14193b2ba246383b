"""A run that takes its process along each time is given up, and no other."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Self

import pytest
import sqlalchemy as sa
import structlog

from bot.domain.registration import RunOutcome, Status
from bot.playground.clock import MovableClock
from bot.runs.journal import Attempts, BatchWriter, Entry
from bot.storage import rows, runs
from bot.storage.runs import PlannedStep, Run
from bot.storage.tables import runs as table
from bot.worker.engine import Outcome
from bot.worker.outages import AwaitedService, Outage
from bot.worker.scheduler import MOST, SUSPECT, TURN
from graph.errors import NotThereYet
from graph.retry import retry
from tests.support.graph_fakes import EPOCH
from tests.support.registrar_env import IdleEngine, RegistrarEnv

Record = dict[str, tuple[str, Outcome]]
"""What the engines of all processes know: who has started a run, and what came of it."""


@pytest.fixture
def record() -> Record:
    return {}


class Life(IdleEngine):
    """One process: what is begun in it works until it is told to end, or the process dies."""

    def __init__(self, env: RegistrarEnv, record: Record, executor: str = "slot-0") -> None:
        super().__init__()
        self._env = env
        self._record = record
        self._executor = executor
        self._attempts = Attempts(replace(env.services, executor=executor))
        self._works: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._ends: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._tasks: dict[str, asyncio.Future[None]] = {}
        self._scheduler = env.scheduler(self, died=env.runs().died)
        self.body = partial(self._attempts.counted, self._work)

    @property
    def at_work(self) -> set[str]:
        return {run for run, task in self._tasks.items() if not task.done()}

    async def start(self, run: str, kind: str) -> None:
        if run not in self._record:
            self._record[run] = self._executor, Outcome.OPEN
            self._tasks[run] = asyncio.ensure_future(self._carry(run))

    async def outcome(self, run: str) -> Outcome:
        return self._record[run][1] if run in self._record else Outcome.UNKNOWN

    async def forget_left(self, executor: str) -> bool:
        left = [run for run, row in self._record.items() if row == (executor, Outcome.OPEN)]
        for run in left:
            del self._record[run]
        return bool(left)

    async def begin(self) -> None:
        """Take over what was left under this name, and look."""
        await self.take_over(self._executor)
        await self.look()

    async def take_over(self, executor: str) -> None:
        await self._env.database.write(runs.fail_attempts, executor)
        await self.forget_left(executor)

    async def look(self) -> None:
        """Return when all that the scheduler has started works, or has ended."""
        await self._scheduler.look()
        for run in self._tasks:
            await self.works(run)

    async def works(self, run: str) -> None:
        works = asyncio.create_task(self._works[run].wait())
        await asyncio.wait((self._tasks[run], works), return_when=asyncio.FIRST_COMPLETED)
        works.cancel()

    async def end(self, run: str) -> None:
        self._ends[run].set()
        await self._tasks[run]
        await self.look()

    async def release(self) -> None:
        await self._attempts.release()

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    async def die(self, *, is_stopped: bool = False) -> None:
        if is_stopped:
            await self.release()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _carry(self, run: str) -> None:
        await self.body(run)
        self._record[run] = self._executor, Outcome.ENDED

    async def _work(self, run: Run) -> None:
        self._works[run.id].set()
        await self._ends[run.id].wait()
        async with self._env.database.transaction() as tx:
            now = self._env.clock.now()
            assert await runs.end(tx, run.id, outcome=RunOutcome.DONE, now=now)


class Waiting(Life):
    """One process, whose runs wait for Entra before they do anything else."""

    def __init__(self, env: RegistrarEnv, record: Record) -> None:
        super().__init__(env, record)
        self.time = asyncio.Event()
        self.waits = asyncio.Event()

    async def look(self) -> None:
        await self._scheduler.look()
        await self.waits.wait()

    def now(self) -> datetime:
        return EPOCH

    async def sleep(self, seconds: float) -> None:
        self.waits.set()
        await self.time.wait()

    async def _work(self, run: Run) -> None:
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
    async with env.database.transaction() as tx:
        for _ in range(SUSPECT):
            assert await runs.set_carrier(tx, run, "dead")
            await runs.fail_attempts(tx, "dead")
    return run


async def _found(env: RegistrarEnv, run: str) -> Run:
    found = await env.database.read(runs.get, run)
    assert found is not None
    return found


async def _failed(env: RegistrarEnv, *ids: str) -> list[int]:
    """Return how many attempts at each have failed."""
    return [(await _found(env, run)).attempts for run in ids]


async def test_a_run_is_begun_so_often_and_then_given_up(env: RegistrarEnv, record: Record) -> None:
    id = await env.approved()
    run = (await env.run_of(id)).id
    for _ in range(MOST):
        async with Life(env, record) as life:
            assert life.at_work == {run}
    async with Life(env, record) as life:
        assert not life.at_work
        found = await env.found(id)
        assert found.status is Status.FAILED
        assert found.failure is not None
        assert found.failure.bug

        # Another run, which may be begun as often.
        await env.registrar.recovery.retry(id, by=env.approver)
        await life.look()
        assert life.at_work == {(await env.run_of(id)).id}


@pytest.mark.slow
async def test_what_is_at_work_beside_it_is_not_given_up(env: RegistrarEnv, record: Record) -> None:
    killer, one, other = [await _run(env) for _ in range(3)]
    for death in range(MOST):
        newcomer = await _run(env)
        async with Life(env, record) as life:
            assert {killer, newcomer} <= life.at_work  # whatever a newcomer stands beside
            assert ({one, other} & life.at_work == {one, other}) is (death < SUSPECT)
    async with Life(env, record) as life:
        assert {killer, one, other} & life.at_work == {one}  # nobody waits for whom is given up
        await life.end(one)
        assert {killer, one, other} & life.at_work == {other}
        assert await _failed(env, other) == [SUSPECT]
        await life.end(other)


async def test_two_killers_take_no_other_along(env: RegistrarEnv, record: Record) -> None:
    killers = {await _run(env), await _run(env)}
    other = await _run(env)
    for _ in range(2 * MOST - SUSPECT):
        async with Life(env, record) as life:
            assert life.at_work & killers
    async with Life(env, record) as life:
        assert life.at_work == {other}
        assert await _failed(env, other) == [SUSPECT]


async def test_replicas_have_one_turn(env: RegistrarEnv, record: Record) -> None:
    """Whoever is left when one is killed takes up the same run again, and no other of its like."""
    killer, one = await _suspect(env), await _suspect(env)
    first, second = Life(env, record, "slot-0"), Life(env, record, "slot-1")
    await first.begin()
    await second.begin()
    newcomer = await _run(env)
    await second.look()
    assert (first.at_work, second.at_work) == ({killer}, {newcomer})
    await first.die()
    await second.take_over("slot-0")
    await second.look()
    assert second.at_work == {killer, newcomer}
    await second.die()
    await first.take_over("slot-1")
    assert await _failed(env, killer, one, newcomer) == [SUSPECT + 2, SUSPECT, 1]


async def test_a_suspect_at_work_keeps_its_turn_when_an_older_one_comes(
    env: RegistrarEnv, record: Record
) -> None:
    older, younger = await _run(env), await _suspect(env)
    first, second = Life(env, record, "slot-0"), Life(env, record, "slot-1")
    await first.begin()
    assert first.at_work == {older, younger}
    await first.die()
    async with env.database.transaction() as tx:
        await runs.release(tx, "slot-0")
        await rows.update(tx, table, table.c.id == older, attempts=1)
    record.clear()
    await second.start(older, "register")
    await second.works(older)
    await first.begin()
    assert younger in first.at_work
    await second.die()
    await first.take_over("slot-1")
    await first.look()
    assert await _failed(env, older) == [SUSPECT]
    assert older not in first.at_work
    await first.end(younger)
    assert older in first.at_work
    await first.die()


async def test_a_suspect_that_waits_for_entra_keeps_its_turn(
    env: RegistrarEnv, record: Record
) -> None:
    """Nobody is named as its carrier then, and it would go on beside the other one."""
    older, younger = await _run(env), await _suspect(env)
    first, second = Waiting(env, record), Life(env, record, "slot-1")
    await second.start(older, "register")
    await second.works(older)
    await first.begin()
    assert first.at_work == {younger}
    assert (await _found(env, younger)).carried_by is None
    await env.database.write(rows.update, table, table.c.id == older, attempts=1)
    await second.die()
    await first.take_over("slot-1")
    assert await _failed(env, older) == [SUSPECT]
    third = Life(env, record, "slot-1")
    await first.look()
    await third.look()
    assert (first.at_work, third.at_work) == ({younger}, set())
    first.time.set()
    await first.end(younger)
    await third.look()
    assert older in first.at_work | third.at_work
    await first.die()


async def test_a_suspect_that_hangs_does_not_keep_the_others_for_ever(
    env: RegistrarEnv, record: Record
) -> None:
    one, other = await _suspect(env), await _suspect(env)
    async with Life(env, record) as life:
        env.clock.move(TURN / 2)
        await life.look()
        assert life.at_work == {one}
        env.clock.move(TURN / 2)
        await life.look()
        assert life.at_work == {one, other}
        await life.end(one)
        assert life.at_work == {other}


async def test_a_process_that_is_stopped_was_not_ended_by_its_runs(
    env: RegistrarEnv, record: Record
) -> None:
    newcomer, suspect, waiting = await _run(env), await _suspect(env), await _suspect(env)
    for _ in range(3 * MOST):
        life = Life(env, record)
        await life.begin()
        assert life.at_work == {suspect, newcomer}
        await life.die(is_stopped=True)
    await Life(env, record).take_over("slot-0")
    assert await _failed(env, newcomer, suspect, waiting) == [0, SUSPECT, SUSPECT]


async def test_waiting_for_entra_is_no_fault_of_a_run(env: RegistrarEnv, record: Record) -> None:
    """However often it is killed while it waits; what it does between two waits counts."""
    run, deaths = await _run(env), 3 * MOST
    for _ in range(deaths):
        async with Waiting(env, record):
            pass
    life = Waiting(env, record)
    with structlog.testing.capture_logs() as lines:
        await life.begin()
        assert await _failed(env, run) == [0]
        life.time.set()
        await life.works(run)
    assert [line["event"] for line in lines].count("started") == 1  # going on is no news
    await life.die()
    await life.take_over("slot-0")
    assert await _failed(env, run) == [1]


async def test_a_stop_while_a_run_waits_counts_nothing(env: RegistrarEnv, record: Record) -> None:
    """It ends there, for another process to begin it again."""
    suspect = await _suspect(env)
    life = Waiting(env, record)
    await life.begin()
    await life.release()
    life.time.set()
    await life.works(suspect)
    assert not life.at_work
    await life.take_over("slot-0")
    assert await _failed(env, suspect) == [SUSPECT]


async def test_nothing_begins_once_the_process_stops(env: RegistrarEnv, record: Record) -> None:
    """What would begin then would count as begun in vain."""
    suspect, waiting = await _suspect(env), await _suspect(env)
    life = Life(env, record)
    await life.begin()
    await life.release()
    newcomer = await _run(env)
    await life.look()
    await life.end(suspect)
    assert not life.at_work
    await life.take_over("slot-0")
    assert await _failed(env, waiting, newcomer) == [SUSPECT, 0]


async def test_a_run_that_has_ended_is_not_begun(env: RegistrarEnv, record: Record) -> None:
    id = await env.approved()
    run, life = await env.run_of(id), Life(env, record)
    await env.end_run(id)
    async with asyncio.timeout(60):
        await life.body(run.id)  # which would wait


@pytest.mark.parametrize(("lasting", "failed"), [(True, 0), (False, SUSPECT)])
async def test_a_run_that_gets_on_is_no_suspect(
    env: RegistrarEnv, lasting: bool, failed: int
) -> None:
    """A secret that it has made is forgotten when it fails: that is not to get on."""
    run = await _suspect(env)
    found = await _found(env, run)
    await env.database.write(
        runs.list_steps, found, [PlannedStep(stage=0, name="step", title="Step", lasting=lasting)]
    )
    entry = Entry(run=found, step="step", facts={}, lasting=lasting)
    writer = BatchWriter(env.services)
    assert await writer.record(entry)
    assert await _failed(env, run) == [failed]

    await env.database.write(rows.update, table, attempts=SUSPECT)
    assert not await writer.record(entry)  # which it knew before
    assert await _failed(env, run) == [SUSPECT]


async def test_a_database_that_is_away_while_a_call_waits_ends_no_run(
    env: RegistrarEnv, record: Record
) -> None:
    run, life = await _run(env), Waiting(env, record)
    await life.begin()
    for name, renamed in (("runs", "away"), ("away", "runs")):
        async with env.database.transaction() as tx:
            await tx.execute(sa.text(f"ALTER TABLE {name} RENAME TO {renamed}"))
        if renamed == "away":
            life.time.set()
            await life.works(run)
    assert life.at_work == {run}
    await life.end(run)


async def test_nothing_is_started_before_entra_has_answered(
    env: RegistrarEnv, clock: MovableClock
) -> None:
    id, answers, entra = await env.approved(), asyncio.Event(), AwaitedService("Entra", clock)
    engine = IdleEngine()
    scheduler = env.scheduler(engine, entra=entra)
    await scheduler.look()
    assert (await env.found(id)).failure is None  # nobody has asked Entra yet

    async def once() -> None:
        if not answers.is_set():
            raise Outage("down")

    asking = asyncio.create_task(entra.ask(once))
    await entra.tried.wait()
    for _ in range(2):
        await scheduler.look()
    failure = (await env.found(id)).failure
    assert failure is not None
    assert "Entra cannot be reached" in failure.sentence
    assert not engine.started
    answers.set()
    clock.move(TURN)
    await asking
    await scheduler.look()
    assert engine.started == [(await env.run_of(id)).id]
