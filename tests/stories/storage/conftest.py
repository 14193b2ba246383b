"""What storage's tests start with: an open database of each kind, and a registrar over it."""

from collections.abc import AsyncIterator

import pytest

from bot.playground.clock import MovableClock
from bot.storage.database import Database
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    return registrar_env(database, clock)
