"""The recorder: what steps learn is written down once, and together with what else there is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from bot.runs.journal import BatchWriter, Entry
from bot.runs.provisioning import Provisioning
from bot.storage import runs
from bot.storage.runs import PlannedStep, Run
from tests.support.concurrency import RegistrarEnvs
from tests.support.registrar_env import RegistrarEnv

NAMES = ("role:a", "role:b", "scopes")


async def _begun(env: RegistrarEnv, names: tuple[str, ...] = NAMES) -> Run:
    """Return a run whose steps are listed and not yet taken."""
    run = await env.run_of(await env.approved())
    async with env.database.transaction() as tx:
        planned = [PlannedStep(stage=0, name=name, title=name, lasting=False) for name in names]
        await runs.list_steps(tx, run, planned)
    return run


@contextmanager
def _commits() -> Iterator[list[str]]:
    """Collect the statements of every commit that keeps facts."""
    said: list[str] = []
    commits: list[str] = []

    def saw(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    def committed(_: object) -> None:
        if any("facts=" in each for each in said):
            commits.append("\n".join(said))
        said.clear()

    sa.event.listen(sa.Engine, "before_cursor_execute", saw)
    sa.event.listen(sa.Engine, "commit", committed)
    try:
        yield commits
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", saw)
        sa.event.remove(sa.Engine, "commit", committed)


async def test_steps_that_end_together_are_committed_together(env: RegistrarEnv) -> None:
    recorder = BatchWriter(env.services)
    one, other = await _begun(env), await _begun(env)
    with _commits() as commits:
        kept = await asyncio.gather(
            *(
                recorder.record(Entry(run=run, step=name, facts={"of": run.id}))
                for run in (one, other)
                for name in NAMES
            )
        )
    assert kept == [True] * 6
    assert len(commits) <= 2  # one, and one for those that came while it was made
    async with env.database.reading() as tx:
        for run in (one, other):
            assert await runs.known_facts(tx, run) == {name: {"of": run.id} for name in NAMES}


async def test_what_a_step_has_learnt_is_not_learnt_again(registrar_envs: RegistrarEnvs) -> None:
    """A process that was frozen and wakes up is told so, and changes nothing."""
    one, other = (BatchWriter(env.services) for env in registrar_envs)
    run = await _begun(registrar_envs[0])
    assert await one.record(Entry(run=run, step="scopes", facts={"by": "one"}))
    assert not await other.record(Entry(run=run, step="scopes", facts={"by": "other"}))
    assert await registrar_envs[0].database.read(runs.known_facts, run) == {"scopes": {"by": "one"}}


async def test_nothing_is_learnt_for_a_run_that_has_ended(registrar_envs: RegistrarEnvs) -> None:
    """Another process has failed it: whoever still walks it stops, and passes no undo."""
    one, other = registrar_envs
    run = await _begun(one)
    await other.end_run(run.registration, "failed")
    recorder = BatchWriter(one.services)
    assert not await recorder.record(Entry(run=run, step="scopes", facts={"by": "one"}))
    assert await one.database.read(runs.known_facts, run) == {}


async def test_an_entry_that_cannot_be_kept_stops_nobody_else(env: RegistrarEnv) -> None:
    recorder, run = BatchWriter(env.services), await _begun(env)
    kept = await asyncio.gather(
        recorder.record(Entry(run=run, step="role:a", facts={"a": 1})),
        recorder.record(Entry(run=run, step="role:b", facts={"no JSON": object()})),
        recorder.record(Entry(run=run, step="scopes", facts={"c": 3})),
        return_exceptions=True,
    )
    assert (kept[0], kept[2]) == (True, True)
    assert isinstance(kept[1], TypeError | sa.exc.StatementError)
    assert await recorder.record(Entry(run=run, step="role:b", facts={}))


async def test_a_walk_begun_anew_does_not_take_up_a_secret_that_was_closed(
    env: RegistrarEnv,
) -> None:
    """Killed between closing it and saying that the run has failed, it makes another one, of which
    nothing is proved yet.
    """
    run = await _begun(env, ("secret", "sign_in", "directory"))
    await env.seal(run.registration, run)
    async with env.database.transaction() as tx:
        for step in ("secret", "sign_in", "directory"):
            await runs.record(tx, run, step, {"sealed_id": "x"}, env.clock.now())
    await Provisioning(env.services).close(run)
    assert await env.database.read(runs.known_facts, run) == {}
