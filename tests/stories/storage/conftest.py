"""What storage's tests start with: an open database of each kind, and an office over it."""

from collections.abc import AsyncIterator

import pytest

from bot.playground.clock import MovableClock
from bot.storage.database import Database
from tests.support.registrar_env import Office, office, opened


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def desk(database: Database, clock: MovableClock) -> Office:
    return office(database, clock)
