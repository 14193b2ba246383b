"""The journal: who carries a run, and the facts that its steps store before and after they change
the tenant.

Steps that end together are committed together: a commit waits for the disk, and of many one after
another each would wait for all before it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
import structlog

from bot.services import Services
from bot.storage import history, registrations, runs, secrets
from bot.storage.runs import Run
from bot.storage.secrets import Purpose
from bot.worker.loops import run_guarded
from graph.errors import SecretsLost
from graph.http import collecting_requests
from graph.retry import while_waiting
from graph.step_context import SECRET_ATTEMPTS, Facts, Sealed

log = structlog.get_logger()


Walk = Callable[[Run], Awaitable[None]]
"""The work of a run that has not ended."""


class Attempts:
    """Notes who carries a run, so that it is known which runs a dead process takes along.

    Before its body does anything, a run's row names the process. Another process that takes over
    from a dead one counts an attempt that failed. A stop removes the name, and is no attempt. Nor
    is waiting for Entra, which could not kill a process.
    """

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self._executor = services.executor
        self._is_stopping = False

    async def counted(self, walk: Walk, id: str) -> None:
        """Do a run's work, and count the attempt."""
        run = await self._set_carrier(id, self._executor, starts=True)
        if run is not None:
            while_waiting.set(partial(self._released, id))
            with collecting_requests():
                await walk(run)

    async def release(self) -> None:
        """Note before a stop that what is at work has done nothing wrong. Nothing else begins, and
        what asks whether to go on ends here. Safe to repeat.
        """
        self._is_stopping = True
        await self._database.write(runs.release, self._executor)

    def go_on(self) -> None:
        """Raise CancelledError if the process stops: ended in any other way, it would be over."""
        if self._is_stopping:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def _released(self, id: str) -> AsyncIterator[None]:
        """Name no process while one of the run's calls waits.

        A database that is restarted meanwhile ends no run: then only the count is not exact.
        """
        await run_guarded(f"run {id}", partial(self._set_carrier, id, None))
        yield
        await run_guarded(f"run {id}", partial(self._set_carrier, id, self._executor))

    async def _set_carrier(
        self, id: str, executor: str | None, *, starts: bool = False
    ) -> Run | None:
        """Note who carries the run, and return it unless it has ended."""
        async with self._database.transaction() as tx:
            if executor is not None:
                self.go_on()
            return await runs.set_carrier(tx, id, executor, starts=starts)


class Superseded(Exception):
    """The run is over for this process: another carries it on, or it was overruled."""


@dataclass(frozen=True, kw_only=True)
class RunJournal:
    """Keep the `Journal` of one run in storage and the vault."""

    run: Run
    services: Services
    announced: Mapping[str, bool] = field(default_factory=dict)
    """The intents in the first commit of the run, and whether each was stored before."""

    async def record_intent(self, step: str) -> bool:
        """Note that the step is about to write. True if an earlier attempt may have written."""
        if step in self.announced:
            return self.announced[step]
        now = self.services.clock.now()
        return await self.services.database.write(runs.record_intent, self.run, step, now)

    async def last_intent(self, step: str) -> datetime | None:
        """Return when an attempt at this step may last have written, if one may have."""
        return await self.services.database.read(runs.intended_at, self.run.registration, step)

    async def clear_intent(self, step: str) -> None:
        """Note that no attempt at this step has written."""
        await self.services.database.write(runs.clear_intent, self.run.registration, step)

    async def adopt(self, step: str, new_facts: Facts) -> None:
        """Store the object of an attempt at this step whose answer was lost."""
        await self.services.database.write(runs.adopt, self.run.registration, step, new_facts)

    async def attempt(self) -> Sealed | str:
        """Return the secret that this run has sealed; else store and return a new nonce for one.

        Raises SecretsLost if the run has used up its attempts.
        """
        nonce = uuid4().hex[:16]
        async with self.services.database.transaction() as tx:
            found = await secrets.sealed_of_run(tx, self.run.id)
            if found is not None and found.key_id is not None and found.expires_at is not None:
                return Sealed(id=found.id, key_id=found.key_id, expires_at=found.expires_at)
            if await secrets.attempts(tx, self.run.id) >= SECRET_ATTEMPTS:
                raise SecretsLost(call="POST /applications/…/addPassword")
            await secrets.attempt(
                tx,
                id=uuid4().hex,
                registration=self.run.registration,
                run=self.run.id,
                nonce=nonce,
                now=self.services.clock.now(),
            )
        return nonce

    async def seal(
        self, nonce: str, *, secret: str, key_id: str, hint: str, expires_at: datetime
    ) -> str:
        """Keep the secret of this attempt, sealed, and return its id."""
        async with self.services.database.transaction() as tx:
            id = await secrets.id_of(tx, nonce)
            sealed = self.services.vault.seal(await secrets.owner(tx, id, Purpose.SECRET), secret)
            told = {"key_id": key_id, "hint": hint}
            await secrets.seal(tx, id, sealed=sealed, expires_at=expires_at, **told)
        return id

    async def unseal(self, id: str) -> str:
        """Return the clear secret, for a test of it. Raises Superseded if it was closed since."""
        owner, sealed = await self.services.database.read(secrets.sealed, id, Purpose.SECRET)
        if sealed is None:
            raise Superseded
        return self.services.vault.open(owner, sealed)


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

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self._clock = services.clock
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
                history.record_change(
                    tx, "step done", of, run=each.run.id, step=each.step, requests=took
                )
            for registration in sorted({each.run.registration for each in batch.entries}):
                await registrations.bump_version(tx, registration, redraw_now=False)
            # After the registrations, in the order of ending a run.
            await runs.reset_attempts(tx, {each.run.id for each in first if each.lasting})
        batch.taken = taken
