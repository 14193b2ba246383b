"""What every story starts with: a stage with both simulators, and the bot between them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trustme

from bot import app
from bot.app import App
from bot.config import Settings
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing
from tests.postgres import database_url, postgres_database, postgres_server, postgres_url
from tests.scene import Scene

# Fixtures for every folder below.
__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]

LOOK_EVERY = 0.1

Bot = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def clock() -> MovableClock:
    """A clock on which waiting takes no time."""
    return MovableClock(eager=True)


@pytest.fixture
async def stage(tmp_path: Path, clock: MovableClock, ca: trustme.CA) -> AsyncIterator[Stage]:
    async with standing(folder=tmp_path, clock=clock, ca=ca, users=50, groups=5) as stage:
        yield stage


@pytest.fixture
def bot(stage: Stage) -> Bot:
    """Start a bot on the stage, with changes to its environment."""

    @asynccontextmanager
    async def start(**changes: str) -> AsyncIterator[App]:
        settings = Settings.read(stage.environ(**changes))
        async with app.running(settings, stage.clock, look_every=LOOK_EVERY) as running:
            yield running

    return start


@pytest.fixture
async def scene(stage: Stage, bot: Bot) -> AsyncIterator[Scene]:
    """A stage with a bot that runs for the whole test."""
    async with bot():
        yield Scene(stage)
