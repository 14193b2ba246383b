"""Batch writer: stores the facts of steps, of all runs at once.

Steps that end together are committed together: a commit waits for the disk, and of many one after
another each would wait for all before it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog

from bot.storage import change_log, registrations, runs
from bot.storage.database import Database
from bot.storage.runs import Run
from graph.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The facts of one step of a run."""

    run: Run
    step: str
    facts: Mapping[str, Any]
    requests: Sequence[str] = ()
    """Microsoft's ids of the calls that it took, for the log."""
    lasting: bool = False
    """Whether it is progress. Facts that serve this run alone are forgotten when it fails, so
    a run that then kills its process would make progress forever."""


@dataclass
class Batch:
    """Entries that one commit writes down."""

    entries: list[Entry] = field(default_factory=list)
    taken: list[bool] | None = None
    """Whether each entry was the first for its step, once they are committed."""


class BatchWriter:
    """Commits entries, together with those that wait for the same turn."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()
        self._batch = Batch()

    async def record(self, entry: Entry) -> bool:
        """Keep the facts. False if another process has carried the run past this step before."""
        batch, line = self._batch, len(self._batch.entries)
        batch.entries.append(entry)
        async with self._turn:
            if batch.taken is None:
                try:
                    await self._write(batch)
                except (sa.exc.SQLAlchemyError, TypeError) as error:
                    kind = type(error).__name__
                    log.warning("facts not kept together", of=len(batch.entries), type=kind)
        if batch.taken is None:  # something on the page cannot be kept: each for itself
            batch, line = Batch(entries=[entry]), 0
            await self._write(batch)
        assert batch.taken is not None
        return batch.taken[line]

    async def _write(self, batch: Batch) -> None:
        async with self._database.transaction() as tx:
            if batch is self._batch:
                self._batch = Batch()  # later facts wait for the next batch
            now = self._clock.now()
            taken = [
                await runs.record(tx, each.run, each.step, each.facts, now)
                for each in batch.entries
            ]
            pairs = zip(batch.entries, taken, strict=True)
            first = [each for each, is_first in pairs if is_first]
            for each in first:
                of, took = each.run.registration, each.requests
                change_log.record(
                    tx, "step done", of, run=each.run.id, step=each.step, requests=took
                )
            for registration in sorted({each.run.registration for each in batch.entries}):
                await registrations.bump_version(tx, registration, redraw_now=False)
            # After the registrations, in the order of ending a run.
            await runs.reset_attempts(tx, {each.run.id for each in first if each.lasting})
        batch.taken = taken
