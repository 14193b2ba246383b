"""The engine: durable execution by DBOS Transact, behind this one module; it knows no registration.

Every run is carried by one replica at a time. The scheduler starts a run again if its process died
before the run ended. Only storage says what the body has done by then, so a body asks there before
it does anything. The engine's database holds only ids and can be deleted.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import dbos._serialization
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from bot.storage.database import UnusableDatabase, make_private, sqlite_path
from bot.worker.loops import run_guarded

Body = Callable[[str], Awaitable[None]]
Died = Callable[[str, str], Coroutine[Any, Any, None]]
"""Called for a run that failed by a bug, with its id and the bug's."""

REST_SECONDS = 5.0
"""How long a stop waits for bodies. `serve` ends the process before that, so that nothing is closed
while a body uses it."""

SCHEMA = "dbos"
"""Where the engine keeps its tables on PostgreSQL."""

VERSION = "1"
"""Constant: DBOS would derive it from the source, and nothing here depends on that."""

ENDS = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
FORGOTTEN_AT_ONCE = 1000


class Outcome(StrEnum):
    """The engine's record of a run."""

    UNKNOWN = "unknown"  # no record
    OPEN = "open"
    ENDED = "ended"


class Engine:
    """Carries run bodies, each at most once at a time on all replicas."""

    def __init__(self, jobs: Mapping[str, Body], died: Died) -> None:
        self._died = died
        self._at_work: dict[str, asyncio.Task[Any]] = {}
        # DBOS refuses bound methods, and workflows must be registered before the launch.
        self._jobs = {
            kind: DBOS.workflow(name=kind)(self._plain(body)) for kind, body in jobs.items()
        }

    async def start(self, run: str, kind: str) -> None:
        """Start the run, or attach to it if it was started before: safe to repeat."""
        with SetWorkflowID(run, workflow_id_reuse_policy="return-existing"):
            await DBOS.start_workflow_async(self._jobs[kind], run)

    async def outcome(self, run: str) -> Outcome:
        status = await DBOS.get_workflow_status_async(run)
        if status is None:
            return Outcome.UNKNOWN
        return Outcome.ENDED if status.status in ENDS else Outcome.OPEN

    async def drain(self, seconds: float) -> None:
        """Wait for the bodies at work; those that take longer are begun again at the next start."""
        if self._at_work:
            await asyncio.wait(self._at_work.values(), timeout=seconds)

    def is_at_work(self, run: str) -> bool:
        """Whether this process is carrying the run right now."""
        return run in self._at_work

    def _plain(self, body: Body) -> Callable[[str], Coroutine[Any, Any, None]]:
        async def job(run: str) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._at_work[run] = task
            try:
                if bug := await run_guarded(f"run {run}", lambda: body(run)):
                    await self._died(run, bug)
            finally:
                del self._at_work[run]

        return job

    async def forget_left(self, executor: str) -> bool:
        """Delete the record of an executor's open runs, which can then be started again. Return
        whether there were any.

        The caller must hold the executor's slot, and carry nothing under that name yet.
        """
        pending = await DBOS.list_workflows_async(status="PENDING", load_input=False)
        left = [
            it.workflow_id for it in pending if (it.executor_id or "").split("/")[0] == executor
        ]
        if left:
            await DBOS.delete_workflows_async(left)
        return bool(left)

    async def forget(self, *, before: datetime) -> None:
        """Delete the record of runs that ended before then: DBOS keeps all of them."""
        ended = await DBOS.list_workflows_async(
            status=ENDS,
            completed_before=before.isoformat(),
            limit=FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if ended:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in ended])


def url_of(database_url: str) -> str:
    """Return the URL of the engine's database, beside the bot's. It is expendable."""
    path = sqlite_path(database_url)
    if path is not None:
        return f"sqlite:///{path.with_name(path.stem + '-engine.db')}"
    return (
        sa.make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    )


@asynccontextmanager
async def running(
    url: str, *, executor: str, jobs: Mapping[str, Body], died: Died
) -> AsyncIterator[Engine]:
    """Launch the engine on the running loop, after every client that the bodies use exists.

    Raises UnusableDatabase.
    """
    asyncio.get_running_loop()  # launched anywhere else, recovered bodies get a loop of their own
    with _usable(url):
        _use_wal(url)
    dbos._serialization.DBOSDefaultSerializer = _NoPickle()
    # DBOS would begin all runs at once that an executor of the same name has left.
    DBOS(config=_config(url, f"{executor}/{uuid4().hex}"))
    try:
        engine = Engine(jobs, died)
        with _usable(url):
            DBOS.launch()
        try:
            yield engine
        finally:  # a stop cancels the one who waits here, and no body
            await engine.drain(REST_SECONDS)
    finally:
        # DBOS made its own pool this loop's default, and cancels what waits in it for a thread.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        DBOS.destroy(destroy_registry=True)


@contextmanager
def _usable(url: str) -> Iterator[None]:
    """Raise UnusableDatabase, with a sentence, if the engine's database cannot be used."""
    log = logging.getLogger("dbos")
    log.disabled = True  # it would print the whole traceback of what is raised here
    try:
        yield
    except sqlite3.Error:
        raise UnusableDatabase(unusable(url)) from None
    except sa.exc.DBAPIError as error:
        kind = type(error.orig).__name__
        if url.startswith("sqlite") or kind == "InsufficientPrivilege":
            raise UnusableDatabase(unusable(url)) from None
        raise UnusableDatabase(f"DATABASE_URL: the engine cannot use it ({kind}).") from None
    finally:
        log.disabled = False


def unusable(url: str) -> str:
    """Say what to do about a database that the engine cannot use."""
    path = sa.make_url(url).database
    if url.startswith("sqlite"):
        return (
            f"The engine's database {path} is damaged or cannot be written: delete it, and start"
            " again. It keeps nothing that is needed."
        )
    return (
        f"DATABASE_URL: its role may not create the schema {SCHEMA}, in which the engine keeps its"
        f" record. As an administrator: GRANT CREATE ON DATABASE {path} TO that role."
    )


def _unixepoch(modifier: str) -> float:
    """Return what SQLite's `unixepoch('subsec')` does: sqlite.org/lang_datefunc.html."""
    if modifier != "subsec":
        raise ValueError(modifier)
    return time.time()


class _Connection(sqlite3.Connection):
    """A connection that does not wait for the disk: this database can be deleted."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous=NORMAL")
        # DBOS asks SQLite for it on Python 3.12 and newer; before 3.42 SQLite answered NULL.
        self.create_function("unixepoch", 1, _unixepoch)


def _sqlite() -> dict[str, Any]:
    """Return options for SQLite, which DBOS changes: each engine needs its own.

    SQLite has one writer; threads that wait for one connection wait in line, those that have their
    own poll for the lock.
    """
    return {"connect_args": {"factory": _Connection}, "pool_size": 1, "max_overflow": 0}


def _config(url: str, executor: str) -> DBOSConfig:
    sqlite = _sqlite() if url.startswith("sqlite") else {}
    return {
        "name": "aad-setup",
        "system_database_url": url,
        "executor_id": executor,
        "application_version": VERSION,
        "serializer": PlainJson(),
        "log_level": "WARNING",
        "max_executor_threads": 24,  # also what the loop's own threads come from: sign-ins
        "db_engine_kwargs": {"hide_parameters": True, **sqlite},
        # Nothing is ever waiting there: this is only how long a stop takes.
        "notification_listener_polling_interval_sec": 0.02,
    }


def _use_wal(url: str) -> None:
    """Set WAL, which stays set in the file; DBOS never sets it."""
    path = sa.make_url(url).database
    if url.startswith("sqlite") and path:
        make_private(Path(path))
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


class PlainJson(Serializer):
    """JSON for the ids of runs, which are all that a body takes; of an exception only its class."""

    def name(self) -> str:
        return "plain_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            # The text of an unexpected exception may hold anything.
            return json.dumps({"type": type(data).__name__})
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)


class _NoPickle(Serializer):
    """Replaces the serializer by which DBOS unpickles rows that are marked so: write access to the
    database would be code execution. A test fails if DBOS renames what this replaces."""

    def name(self) -> str:
        return "py_pickle"

    def serialize(self, data: Any) -> str:
        raise TypeError("pickle is off")

    def deserialize(self, serialized_data: str) -> Any:
        raise TypeError("pickle is off")
