"""Health: whether the process lives, and whether it is ready for deliveries of Slack."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
import structlog

from bot.storage.database import Database
from bot.worker.loops import Loop
from handlers.transport import Transport

log = structlog.get_logger()

STUCK_SECONDS = 300.0
"""How long a loop may go without having looked: each look is bounded well below this."""

DATABASE_SECONDS = 2.0


class Missing(Protocol):
    """The parts that must be there before the bot is ready."""

    @property
    def missing(self) -> str | None:
        """Why it is not there yet, as one phrase; None once it is."""
        ...


@dataclass(kw_only=True)
class Health:
    """Report problems in a few public words.

    Transport, loops and awaited services may come later than the first request.
    """

    database: Database
    awaited: Iterable[Missing] = ()
    transport: Transport | None = None
    loops: Iterable[Loop] = ()
    now: Callable[[], float] = time.monotonic
    """Real seconds: a hang is not measured by the bot's clock."""
    _question: asyncio.Task[bool] | None = None

    def liveness_problems(self) -> list[str]:
        """Return why this process should be restarted; nothing if it lives."""
        late = self.now() - STUCK_SECONDS
        return [f"{loop.name} hangs" for loop in self.loops if loop.looked_at < late]

    async def readiness_problems(self) -> list[str]:
        """Return why nothing should be sent here now; nothing if the bot is ready."""
        hindrances = [it.missing for it in self.awaited if it.missing is not None]
        if self.transport is None or not await self.transport.is_up():
            hindrances.append("nothing comes in from Slack")
        if not await self._database_answers():
            hindrances.append("the database does not answer")
        return hindrances

    async def settle(self) -> None:
        """Wait a limited time for the last query to end, so that the database can be closed."""
        if self._question is not None:
            await asyncio.wait({self._question}, timeout=DATABASE_SECONDS)
            self._question.cancel()

    async def _database_answers(self) -> bool:
        # One question at a time, and never cancelled: that would leak its connection.
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._ask_database())
        done, _ = await asyncio.wait({self._question}, timeout=DATABASE_SECONDS)
        return bool(done) and self._question.result()

    async def _ask_database(self) -> bool:
        try:
            async with self.database.reading() as tx:
                await tx.execute(sa.text("SELECT 1"))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("database does not answer", type=type(error).__name__)
            return False
        return True
