"""Stand-ins for what the health checks ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import sqlalchemy as sa

from bot.server.http_server import Health
from bot.storage.database import Database


class Up:
    """An intake that is up, or not."""

    def __init__(self, up: bool = True) -> None:
        self.up = up

    async def start(self) -> None:
        pass

    async def is_up(self) -> bool:
        return self.up

    async def stop(self) -> None:
        pass


class Answering:
    """A database that may keep a question waiting, or break."""

    def __init__(self) -> None:
        self.questions = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.broken = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        self.questions += 1
        await self.goes_on.wait()
        if self.broken:
            raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError("the password is pa55"))
        yield self

    async def execute(self, statement: Any) -> None:
        pass


def health(database: Answering, *, intake: Up | None = None, **more: Any) -> Health:
    return Health(
        transport=intake or Up(), database=cast(Database, database), **{"loops": (), **more}
    )
