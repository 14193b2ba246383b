"""Loops: repeat background work when it is woken, and log its bugs."""

import asyncio
import errno
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import sqlalchemy as sa
import structlog

log = structlog.get_logger()

FREE_SPACE = "Free some space: until then nothing can be stored."
POSTGRESQL_FULL = "53100"
"""postgresql.org/docs/current/errcodes-appendix.html"""


@dataclass(frozen=True)
class Wakeups:
    """What wakes the background loops. These are only hints: a loop looks at storage anyway."""

    scheduler: asyncio.Event = field(default_factory=asyncio.Event)
    dispatcher: asyncio.Event = field(default_factory=asyncio.Event)
    home_publisher: asyncio.Event = field(default_factory=asyncio.Event)

    def wake_all(self) -> None:
        """Wake all loops after a commit that gives them work."""
        for each in (self.scheduler, self.dispatcher, self.home_publisher):
            each.set()


async def run_guarded(what: str, work: Callable[[], Awaitable[object]]) -> str | None:
    """Do the work. Log a bug with an id, and return the id.

    One of the two places that catch everything; the other is `handlers.listeners.errors`.
    """
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - this is the place that exists for it
        return report_bug(what, error)
    return None


def went_wrong(bug: str, contact: str) -> str:
    """Return the sentence for people about a bug, which names its id."""
    return f"Something went wrong on our side. Give {contact} this error ID: {bug}."


def report_bug(what: str, error: BaseException, *, code: str | None = None) -> str:
    """Log a bug without the exception's text, which may quote a response. Return its id.

    `code` is a service's own error code. A database that is restarted or unreachable is no bug.
    """
    bug = uuid4().hex[:8]
    if is_outage(error):
        log.warning("database does not answer", bug=bug, what=what, type=type(error).__name__)
        return bug
    if is_disk_full(error):
        log.error("disk full", bug=bug, what=what, advice=FREE_SPACE)
        return bug
    said = {"code": code} if code else {}
    log.error("bug", bug=bug, what=what, type=type(error).__name__, **said, where=_where(error))
    return bug


def is_outage(error: BaseException) -> bool:
    """Whether the connection to PostgreSQL was lost or refused: a restart, a failover, a network.

    Class 08 is a connection's end, 57P a server that stops or starts; without a code no server
    has answered: postgresql.org/docs/current/errcodes-appendix.html
    """
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or is_outage(error.orig or Exception())
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there was no space left for what this error or one behind it is about."""
    while error is not None:
        original = getattr(error, "orig", None) or error
        if (
            getattr(original, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            or getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            or getattr(original, "sqlstate", None) == POSTGRESQL_FULL
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _where(error: BaseException) -> list[str]:
    """Return the traceback as file:line function, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]


async def let_end(tasks: Collection[asyncio.Task[None]], *, seconds: float) -> None:
    """Wait for tasks for so many real seconds, and cancel those that are left."""
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Loop:
    """A task that repeats `look` when woken or every few seconds, until it is asked to stop.

    It is never cancelled: a task cancelled inside a database call leaks its connection.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], Awaitable[None]],
        *,
        every: float,
        wakeup: asyncio.Event | None = None,
        calm: float = 0.0,
    ) -> None:
        """Wait at most `every` real seconds between two looks, and `calm` before each."""
        self.wakeup = wakeup or asyncio.Event()
        self.name = name
        self.looked_at = time.monotonic()
        """When the last look ended, or the loop was made: real seconds."""
        self._look = look
        self._every = every
        self._calm = calm
        self._at_once = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._repeat(), name=self.name)

    async def stop(self) -> None:
        """Return when the present look has ended."""
        self._stopping = True
        self.look_now()
        if self._task is not None:
            await self._task

    def look_now(self) -> None:
        """Wake the loop, and let it look without a pause."""
        self._at_once = True
        self.wakeup.set()

    async def _repeat(self) -> None:
        while not self._stopping:
            await run_guarded(self.name, self._look)
            self.looked_at = time.monotonic()
            if not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self.wakeup.wait()
                self.wakeup.clear()
                await asyncio.sleep(0 if self._at_once else self._calm)
                self._at_once = False
