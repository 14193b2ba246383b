"""Beginnings: how often a run may be begun, or one that kills its process would do so for ever."""

from bot.engine import Body
from bot.storage import runs
from bot.storage.database import Database

MOST = 5
"""More often a run is not begun that never came to an end, and whose process was never stopped."""


class NeverEnds(Exception):
    """The run was begun so often in vain that it is given up."""


class Beginnings:
    """Counts in storage, before the body does anything."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._at_work: set[str] = set()

    def counted(self, body: Body) -> Body:
        """Return the body, which then raises NeverEnds where it would be begun once too often."""

        async def begin(id: str) -> None:
            self._at_work.add(id)
            try:
                if await self._may_begin(id):
                    await body(id)
            finally:
                self._at_work.discard(id)

        return begin

    async def put_down(self) -> None:
        """Note before a stop that what is at work has done nothing wrong."""
        async with self._database.transaction() as tx:
            await runs.put_down(tx, tuple(self._at_work))

    async def _may_begin(self, id: str) -> bool:
        """Return False for a run that has ended."""
        async with self._database.transaction() as tx:
            begun = await runs.begin(tx, id)
        if begun is not None and begun > MOST:
            raise NeverEnds
        return begun is not None
