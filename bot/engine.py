"""The engine: durable execution by DBOS Transact, behind this one module; it knows no registration.

A run's body calls `step(name, do)`; what a step returned is kept, so that after a crash the body is
walked again and finished steps answer from the record. Storage stays the truth: this database can
be thrown away, and a fresh engine starts owed runs again.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import dbos._serialization
import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from bot.bell import survive

T = TypeVar("T")
Body = Callable[[str], Awaitable[None]]
Died = Callable[[str, str], Coroutine[Any, Any, None]]
"""What to do with a run that broke: its id, and the id under which the bug was logged."""

REST_SECONDS = 5.0
"""How long a stop waits for bodies: most end in less."""

VERSION = "1"
"""Constant: a new version would strand the runs of the old one. Bodies change through patches."""


ENDS = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
FORGOTTEN_AT_ONCE = 1000


class StepFailed(Exception):
    """The one exception that may leave a step: a code and safe words, never a response's body."""

    def __init__(self, code: str, words: Mapping[str, str | None]) -> None:
        super().__init__(code)
        self.code = code
        self.words = dict(words)


class Outcome(StrEnum):
    """What the engine knows of a run."""

    UNKNOWN = "unknown"  # never heard of it
    OPEN = "open"
    ENDED = "ended"
    DEAD = "dead"  # given up


async def step(name: str, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do it once for this run; after a crash, return what it returned. For use inside a body."""

    async def once() -> T:
        # DBOS logs what it calls when it is cancelled; `do` would show all its arguments.
        return await do()

    return await DBOS.run_step_async({"name": name}, once)


class Engine:
    """Carries run bodies, each at most once at a time, and resumes them after a crash."""

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
        if status.status == "SUCCESS":
            return Outcome.ENDED
        return Outcome.OPEN if status.status in ("PENDING", "ENQUEUED", "DELAYED") else Outcome.DEAD

    async def rest(self, seconds: float) -> None:
        """Wait for the bodies at work; whatever takes longer is resumed at the next start."""
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
                if bug := await survive(f"run {run}", lambda: body(run)):
                    await step("died", partial(self._died, run, bug))
            finally:
                del self._at_work[run]

        return job

    async def take_over(self, executor: str) -> None:
        """Resume what a dead executor has left behind. Its slot must be held by the caller."""
        left = await DBOS.list_workflows_async(
            status="PENDING", executor_id=executor, load_input=False
        )
        if left:
            await DBOS.resume_workflows_async([workflow.workflow_id for workflow in left])

    async def forget(self, *, before: datetime) -> None:
        """Delete the record of runs that ended before then: the engine itself keeps everything."""
        ended = await DBOS.list_workflows_async(
            status=ENDS,
            completed_before=before.isoformat(),
            limit=FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if ended:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in ended])


@asynccontextmanager
async def running(
    url: str, *, keys: Sequence[str], executor: str, jobs: Mapping[str, Body], died: Died
) -> AsyncIterator[Engine]:
    """Launch the engine on the running loop, after every client that the bodies use exists."""
    asyncio.get_running_loop()  # launched anywhere else, recovered bodies get a loop of their own
    _use_wal(url)
    dbos._serialization.DBOSDefaultSerializer = _NoPickle()
    DBOS(config=_config(url, keys, executor))
    try:
        engine = Engine(jobs, died)
        DBOS.launch()
        yield engine
        await engine.rest(REST_SECONDS)
    finally:
        DBOS.destroy(destroy_registry=True)
        # DBOS made its own pool this loop's default, and has just shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


class _Connection(sqlite3.Connection):
    """A connection that does not wait for the disk: this database can be thrown away."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous=NORMAL")


# SQLite has one writer; threads that wait for one connection wait in line, those that have their
# own poll for the lock.
_SQLITE = {"connect_args": {"factory": _Connection}, "pool_size": 1, "max_overflow": 0}


def _config(url: str, keys: Sequence[str], executor: str) -> DBOSConfig:
    sqlite = _SQLITE if url.startswith("sqlite") else {}
    return {
        "name": "aad-setup",
        "system_database_url": url,
        "executor_id": executor,
        "application_version": VERSION,
        "serializer": SealedJson(keys),
        "log_level": "WARNING",
        "max_executor_threads": 24,  # also what the loop's own threads come from: sign-ins
        "db_engine_kwargs": {"hide_parameters": True, **sqlite},
        # Nothing is ever waiting there: this is only how long a stop takes.
        "notification_listener_polling_interval_sec": 0.1,
    }


def _use_wal(url: str) -> None:
    """WAL stays set in the file; DBOS keeps it, but never sets it."""
    path = sa.make_url(url).database
    if url.startswith("sqlite") and path:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


class SealedJson(Serializer):
    """JSON only, sealed at rest; a failure comes back on replay as the class that was raised."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def name(self) -> str:
        return "sealed_json"

    def serialize(self, data: Any) -> str:
        return self._fernet.encrypt(json.dumps(_to_json(data)).encode()).decode()

    def deserialize(self, serialized_data: str) -> Any:
        return _from_json(json.loads(self._fernet.decrypt(serialized_data.encode())))


def _to_json(data: Any) -> Any:
    if isinstance(data, StepFailed):
        return {"failed": data.code, "words": data.words}
    if isinstance(data, BaseException):
        # Only the name: the text of an unexpected exception may hold anything.
        return {"failed": "bug", "words": {"type": type(data).__name__}}
    if isinstance(data, dict) and set(data) == {"args", "kwargs"}:
        return {"args": list(data["args"]), "kwargs": data["kwargs"]}
    return data


def _from_json(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    if set(data) == {"failed", "words"}:
        return StepFailed(data["failed"], data["words"])
    if set(data) == {"args", "kwargs"}:
        return {"args": tuple(data["args"]), "kwargs": data["kwargs"]}
    return data


class _NoPickle(Serializer):
    """Stands where DBOS unpickles rows marked so, whatever serializer is set: write access to the
    database would be code execution. A test fails if DBOS renames what this replaces."""

    def name(self) -> str:
        return "py_pickle"

    def serialize(self, data: Any) -> str:
        raise TypeError("pickle is off")

    def deserialize(self, serialized_data: str) -> Any:
        raise TypeError("pickle is off")
