"""The engine's database can be thrown away, and nothing in it is ever carried out as code."""

import asyncio
import base64
import pickle
import sqlite3
import threading
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import dbos._serialization
import pytest

from bot.playground.tenant.faults import Hold
from bot.worker import engine as engines
from tests.support.crash_checks import holds
from tests.support.crash_runner import SECONDS
from tests.support.crash_story import CrashStory
from tests.support.registrar_env import no_deaths


class Hostile:
    """Unpickling it makes a file: any other command would do."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._proof,)


def test_a_pickle_would_be_code_if_it_were_opened(tmp_path: Path) -> None:
    """Else the next tests would prove nothing."""
    dbos._serialization.DefaultSerializer().deserialize(pickled(tmp_path / "proof"))
    assert (tmp_path / "proof").exists()


async def test_no_pickle_is_opened_whatever_a_row_says(tmp_path: Path) -> None:
    """It goes through a private name of DBOS: if that is renamed, this fails."""
    async with engines.running(
        f"sqlite:///{tmp_path / 'engine.db'}", executor="x", jobs={}, died=no_deaths
    ):
        mark, ours = dbos._serialization.DefaultSerializer().name(), engines.PlainJson()
        for read in (dbos._serialization.deserialize_args, dbos._serialization.deserialize_value):
            with pytest.raises(TypeError, match="pickle is off"):
                read(pickled(tmp_path / "proof"), mark, ours)
    assert not (tmp_path / "proof").exists()


@pytest.mark.slow
async def test_hostile_rows_are_not_opened_and_the_run_survives_them(story: CrashStory) -> None:
    """Whoever can write to this database gets no code carried out."""
    proof = story.stage.folder / "proof"
    held = await _at_the_application(story)
    await story.kill_at(held)
    with closing(sqlite3.connect(engine_file(story))) as database, database:
        poison = (pickled(proof), "py_pickle")
        question = (
            "UPDATE workflow_status SET inputs = ?, serialization = ? WHERE status = 'PENDING'"
        )
        assert database.execute(question, poison).rowcount
    await story.walk_on()
    await holds(story)
    assert not proof.exists()


@pytest.mark.slow
async def test_the_engine_s_database_can_be_thrown_away_in_the_middle_of_a_run(
    story: CrashStory,
) -> None:
    held = await _at_the_application(story)
    await story.kill_at(held)
    for file in engine_file(story).parent.glob("*-engine.db*"):
        file.unlink()
    await story.walk_on()
    await holds(story)


@pytest.mark.slow
async def test_a_polite_stop_in_the_middle_of_a_run_is_gone_on_from(story: CrashStory) -> None:
    """What is in flight is finished; what was not begun is done by the next life."""
    held = await _at_the_application(story)
    stopping = asyncio.create_task(story.lives.stop())
    await story.until(lambda: not story.workspace.connections)
    held.release()
    assert await stopping == 0
    assert len(story.tenant.applications) == 1
    await story.walk_on()
    await holds(story)


@pytest.mark.slow
async def test_a_polite_stop_does_not_wait_for_ever(story: CrashStory) -> None:
    held = await _at_the_application(story)
    assert await story.lives.stop() == 0
    held.drop()
    # It is not the run's fault that it was begun in vain, however often the bot is stopped.
    assert story.stored("SELECT attempts FROM runs WHERE ended_at IS NULL") == 0
    await story.walk_on()
    await holds(story)


@pytest.mark.slow
async def test_a_run_that_was_left_begins_when_it_is_started_again(tmp_path: Path) -> None:
    """On the main loop: clients and locks belong to the loop that made them."""
    url = f"sqlite:///{tmp_path / 'engine.db'}"
    births = get_context("forkserver")
    begun = births.Event()
    child = births.Process(target=_begin_and_hang, args=(url, begun))
    child.start()
    assert await asyncio.to_thread(begun.wait, SECONDS)
    child.kill()
    await asyncio.to_thread(child.join)

    carried: asyncio.Future[tuple[object, object]] = asyncio.get_running_loop().create_future()

    async def body(_: str) -> None:
        carried.set_result((asyncio.get_running_loop(), threading.current_thread()))

    async with engines.running(url, executor="x", jobs={"work": body}, died=no_deaths) as engine:
        assert await engine.outcome("run") is engines.Outcome.OPEN
        assert not await engine.forget_left("y")
        assert await engine.forget_left("x")
        assert await engine.outcome("run") is engines.Outcome.UNKNOWN
        await engine.start("run", "work")
        async with asyncio.timeout(SECONDS):
            found = await carried
    assert found == (asyncio.get_running_loop(), threading.main_thread())


def pickled(proof: Path) -> str:
    return base64.b64encode(pickle.dumps(Hostile(proof))).decode()


def engine_file(story: CrashStory) -> Path:
    return story.stage.folder / "aad-setup-engine.db"


async def _at_the_application(story: CrashStory) -> Hold:
    """Walk until the application is made and its answer is held."""
    await story.ask_for_it()
    held = story.tenant.faults.hold("PATCH", r"/applications\(uniqueName")
    await story.click_approve()
    await story.reach(held)
    return held


def _begin_and_hang(url: str, begun: threading.Event) -> None:
    asyncio.run(_hang(url, begun))


async def _hang(url: str, begun: threading.Event) -> None:
    async def body(_: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with engines.running(url, executor="x", jobs={"work": body}, died=no_deaths) as engine:
        await engine.start("run", "work")
        await asyncio.Event().wait()
