"""Beginnings: how often a run may be begun, or one that kills its process would do so for ever.

Nobody sees which of the runs at work has killed a process. So one that was begun in vain before is
a suspect: it waits until no other suspect is at work here, and counts only from then on. Of what
dies together, only the one whose turn it was and newcomers have counted.

A killer is a newcomer for its first deaths, and these count for all that were at work beside it:
SUSPECT of them at most, on all replicas together, since the counts are in storage. From then on it
dies in its turn, and the others wait uncounted, on each replica that it takes along: each has a
turn of its own, and whoever has it elsewhere does not die. So MOST leaves room for two killers at
the same time, and what gets on starts from nothing.

A run that waits for Entra does nothing that could kill a process: it is not counted meanwhile.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from bot.domain.runs import Failure, RunKind
from bot.storage import registrations, runs
from bot.storage.database import Database
from bot.worker.engine import Body
from bot.worker.loops import run_guarded
from bot.worker.outages import AwaitedService
from graph import tracing
from graph.retry import while_waiting

SUSPECT = 2
"""Begun so often in vain, a run waits for its turn: once may be anybody's fault."""
MOST = 5
"""More often a run is not begun that neither ended nor got on, and whose process did not stop."""
TURN_SECONDS = 1200.0
"""How long the others wait for a suspect: longer than any step waits for Entra, so that what hangs
does not keep them for ever. Whoever kills even later takes along those who came after it."""


OUTAGE = Failure(
    step="Sign in to Entra",
    sentence="Entra cannot be reached at the moment.",
    advice="This goes on by itself as soon as Entra answers.",
)
"""What a registration says whose run waits for Entra."""


class TooManyAttempts(Exception):
    """The run was begun so often in vain that it is given up."""


class Attempts:
    """Counts in storage, before the body does anything."""

    def __init__(
        self,
        database: Database,
        *,
        turn_seconds: float = TURN_SECONDS,
        entra: AwaitedService | None = None,
    ) -> None:
        """Nothing begins before `entra` has answered."""
        self._database = database
        self._entra = entra
        self._turn_seconds = turn_seconds
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[object]] = set()
        self._counted: set[str] = set()
        self._is_stopping = False

    def counted(self, body: Body) -> Body:
        """Return the body, which then raises TooManyAttempts where it would be begun once too
        often.

        A suspect waits for its turn first. What has not begun when the process stops is cancelled,
        for the engine to resume.
        """

        async def begin(id: str) -> None:
            try:
                await self._wait_for_entra(id)
                async with self._turn_of(id):
                    if await self._may_begin(id):
                        while_waiting.set(lambda: self._aside(id))
                        with tracing.collecting():
                            await body(id)
            finally:
                self._counted.discard(id)

        return begin

    async def uncount(self) -> None:
        """Note before a stop that what is at work has done nothing wrong. Nothing else begins, and
        what asks whether to go on ends here. Safe to repeat.
        """
        self._is_stopping = True
        for task in self._waiting:
            task.cancel()
        counted = tuple(self._counted)
        self._counted.clear()
        await self._put_down(*counted)

    @asynccontextmanager
    async def _turn_of(self, id: str) -> AsyncIterator[None]:
        """Keep other suspects waiting while inside, if it is one; but not for ever."""
        if not await self._is_suspect(id):
            yield
            return
        await self._waiting_for(self._turn.acquire)
        is_over = False

        def pass_on() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._turn.release()

        timer = asyncio.get_running_loop().call_later(self._turn_seconds, pass_on)
        try:
            yield
        finally:
            timer.cancel()
            pass_on()

    @asynccontextmanager
    async def _aside(self, id: str) -> AsyncIterator[None]:
        """Do not count the run while one of its calls waits.

        A database that is restarted meanwhile ends no run: then only the count is not exact.
        """
        if id in self._counted:
            self._counted.discard(id)
            await run_guarded(f"run {id}, put aside", partial(self._put_down, id))
        yield
        if id not in self._counted and not self._is_stopping:
            self._counted.add(id)
            await run_guarded(f"run {id}, taken up", partial(self._take_up, id))

    async def _put_down(self, *ids: str) -> None:
        async with self._database.transaction() as tx:
            await runs.uncount_attempts(tx, ids)

    async def _take_up(self, id: str) -> None:
        async with self._database.transaction() as tx:
            await runs.count_attempt(tx, id)

    async def _is_suspect(self, id: str) -> bool:
        """Return False for one that is to be given up, too: nobody has to wait for that."""
        async with self._database.reading() as tx:
            begun = await runs.attempts(tx, id)
        return SUSPECT <= begun < MOST

    async def _wait_for_entra(self, id: str) -> None:
        """Wait for the first sign-in. If there is an outage, let the registration say so."""
        if self._entra is None or self._entra.missing is None:
            return
        await self._waiting_for(self._entra.tried)
        if self._entra.missing is not None:
            await self._say_that_it_waits(id)
            await self._waiting_for(self._entra.answered)

    async def _say_that_it_waits(self, id: str) -> None:
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            if run is not None and run.kind in (RunKind.PLAN, RunKind.REGISTER):
                await registrations.bump_version(tx, run.registration)
                failure = dataclasses.asdict(OUTAGE)
                await registrations.update(tx, run.registration, failure=failure)

    async def _waiting_for(self, what: Callable[[], Awaitable[object]]) -> None:
        """Wait where a stop may cancel: in the middle of a transaction it must not."""
        self.go_on()
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            await what()
        finally:
            self._waiting.discard(task)

    async def _may_begin(self, id: str) -> bool:
        """Return False for a run that has ended."""
        async with self._database.transaction() as tx:
            self.go_on()
            self._counted.add(id)
            begun = await runs.count_attempt(tx, id)
        if begun is not None and begun > MOST:
            raise TooManyAttempts
        return begun is not None

    def go_on(self) -> None:
        """Raise CancelledError if the process stops: ended in any other way, it would be over."""
        if self._is_stopping:
            raise asyncio.CancelledError
