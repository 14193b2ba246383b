"""What every story starts with: a stage with both simulators, and the bot between them."""

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import trustme
from hypothesis.internal.conjecture import providers

from bot.app import App, Intervals, running
from bot.domain.catalogue import Catalogue
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing
from bot.settings.settings import Settings
from bot.storage.database import sqlite_path
from bot.worker import engine
from graph.clouds import PUBLIC, Cloud
from tests.support.concurrency import careful, registrar_envs
from tests.support.graph_requests import story_fits
from tests.support.graph_schema import CUT, Schema, read_schema
from tests.support.payloads import keep_payloads
from tests.support.postgres import (
    database_url,
    postgres_database,
    postgres_server,
    postgres_template,
    postgres_url,
)
from tests.support.registrar_env import database, env, no_deaths, opened
from tests.support.running_bot import LOOK_EVERY, Bot
from tests.support.statements import share_compiled_statements
from tests.support.story import Story

# Fixtures for every folder below.
__all__ = [
    "careful",
    "database",
    "database_url",
    "env",
    "postgres_database",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "registrar_envs",
]

MOST_WORKERS = 8
LONGEST = (
    *("test_load.py", "test_many_clicks.py", "test_never_broken.py"),
    *("test_sigterm.py", "test_state_machine.py", "test_stops.py"),
)
IN_MEMORY = Path("/dev/shm")
ROOM = 2**30
INTERVALS = Intervals(storage=LOOK_EVERY, consent=LOOK_EVERY)
GARBAGE = 50_000
"""Objects made since the last look for garbage; Python's own 700 is for smaller programs."""


def pytest_configure(config: pytest.Config) -> None:
    """Let `tmp_path` be in memory, where there is such a folder with enough room.

    SQLite waits for the disk at every commit, and a story has hundreds. What a kill leaves is the
    same: it takes the process, not the machine.
    """
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
    for mark in (
        "settings(**changes): of the bot that the fixture `app` starts",
        "mostly_slow: of a file whose tests are all slow but those that are marked `quick`",
        "quick: one of the few that are not slow in such a file",
    ):
        config.addinivalue_line("markers", mark)
    # No test fails by time: how long an example takes says how busy the machine is.
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")
    # Hypothesis tries constants of the modules that are imported, which depend on what has run
    # before in this worker, and reads all their sources for that. It has no option against it.
    vars(providers)["_get_local_constants"] = lambda: providers._local_constants
    share_compiled_statements()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no stories for `-m unit`, which is a third of its time."""
    others = {"judges", "reliability", "simulators", "stories"}
    return (config.option.markexpr == "unit" and collection_path.name in others) or None


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that is there for good: 8000 tests, and what they import.

    It took an eighth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 1000)


def pytest_runtest_logfinish() -> None:
    """Look for what stories leave in cycles between tests: it takes a second for a hundred of them,
    in which nobody would acknowledge a click.
    """
    if gc.get_count()[1] > 5:
        gc.collect()
        gc.freeze()  # what is left is modules and caches, which stay for good


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left with it at the end."""
    for item in items:
        if item.get_closest_marker("mostly_slow") and not item.get_closest_marker("quick"):
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take one for each core, and half as many again for the slow tests alone, which often wait.

    One more was measured without them: no faster, and stories time out sooner. With two for each
    core, fifty people at once were not answered in Slack's three seconds.
    """
    cores = min(MOST_WORKERS, os.cpu_count() or 1)
    return cores + cores // 2 if config.option.markexpr == "slow" else cores


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def schema() -> Schema | None:
    """Microsoft's description of Graph, or None where it is not beside this checkout."""
    return read_schema()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not CUT.exists():
        terminalreporter.write_line(
            "Microsoft's schema is not beside this checkout: NO request to Graph was checked.",
            yellow=True,
        )


@pytest.fixture
def clock() -> MovableClock:
    """A clock on which waiting takes no time."""
    return MovableClock(eager=True)


@pytest.fixture
def cloud() -> Cloud:
    """The cloud of the simulated tenant; a test may take another by a parameter of this name."""
    return PUBLIC


@pytest.fixture
async def stage(
    tmp_path: Path, clock: MovableClock, cloud: Cloud, ca: trustme.CA, schema: Schema | None
) -> AsyncIterator[Stage]:
    """Both simulators. Whatever was asked of the tenant must fit Microsoft's schema."""
    async with standing(
        folder=tmp_path, clock=clock, cloud=cloud, ca=ca, users=50, groups=5
    ) as stage:
        yield stage
        keep_payloads(stage.workspace)
    if schema is not None:
        story_fits(schema, stage.tenant)


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bot's databases, in which nothing is: to make their tables takes a while.

    That a bot makes them itself is seen wherever one is a process of its own.
    """
    folder = tmp_path_factory.mktemp("databases")
    url = f"sqlite+aiosqlite:///{folder / 'aad-setup.db'}"

    async def make() -> None:
        async with (
            opened(url),
            engine.running(engine.url_of(url), executor="none", jobs={}, died=no_deaths),
        ):
            pass

    asyncio.run(make())
    for file in folder.iterdir():
        file.chmod(0o600)  # as `serve` makes them
    return folder


@pytest.fixture
def bot(stage: Stage, empty_databases: Path) -> Bot:
    """Start a bot on the stage, with changes to its environment, or with other profiles."""

    @asynccontextmanager
    async def start(
        *,
        intervals: Intervals = INTERVALS,
        catalogue: Catalogue | None = None,
        **changes: str,
    ) -> AsyncIterator[App]:
        settings = Settings.read(stage.environ(**changes))
        file = sqlite_path(settings.database_url)
        if file is not None and not file.exists():
            for name in ("aad-setup.db", "aad-setup-engine.db"):
                shutil.copy(empty_databases / name, file.parent)
        async with running(
            settings, stage.clock, intervals=intervals, catalogue=catalogue
        ) as started:
            yield started

    return start


@pytest.fixture
def settings() -> dict[str, Any]:
    """How the bot of this file's stories is started; a test's mark `settings` adds to it."""
    return {}


@pytest.fixture
async def app(
    request: pytest.FixtureRequest, stage: Stage, bot: Bot, settings: dict[str, Any]
) -> AsyncIterator[App]:
    """A bot that runs for the whole test. What its mark calls is called with the stage."""
    mark = request.node.get_closest_marker("settings")
    changes = {} if mark is None else mark.kwargs
    called = {name: it(stage) if callable(it) else it for name, it in changes.items()}
    async with bot(**settings | called) as app:
        yield app


@pytest.fixture
def story(app: App, stage: Stage) -> Story:
    """A stage with a bot that runs for the whole test."""
    return Story(stage)
