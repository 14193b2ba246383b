"""Children of the tests: forked from one server that has imported the bot once.

A process of its own begins so in a few milliseconds; a new interpreter takes more than a second.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bot.__main__ import main
from bot.app import App

SECONDS = 60.0
COMMANDS = [f"bot.cli.{name}" for name in ("maintenance", "planning", "serving")]
LATER = [
    "alembic.command",
    "anyio._backends._asyncio",
    "httpcore",
    "tests.support.crash_process",
    "tests.support.replica_process",
]
"""What children import when they are at work, each for itself if the server has not."""
births = multiprocessing.get_context("forkserver")
births.set_forkserver_preload(["bot.__main__", *COMMANDS, *LATER])


class Forked:
    """A child that is waited for as a process of asyncio's is."""

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: object,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._process = births.Process(target=target, args=arguments)
        self._process.start()
        self._tell = ended
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._bury)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode if self._ended.is_set() else None

    async def wait(self) -> int:
        await self._ended.wait()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has just ended by itself
            if not self._ended.is_set():
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _bury(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self._ended.set()
        self._tell()


@asynccontextmanager
async def child(
    target: Callable[..., None], *arguments: object
) -> AsyncIterator[tuple[Forked, Connection]]:
    """Start one whose last argument is a connection to this test; kill it at the end."""
    ours, theirs = births.Pipe()
    process = Forked(target, *arguments, theirs)
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        await process.wait()
        ours.close()


async def told(by: Connection) -> Any:
    """Return what the child says next. Raises EOFError if it has died."""
    async with asyncio.timeout(SECONDS):
        return await asyncio.to_thread(by.recv)


def run(
    arguments: Sequence[str], environ: Mapping[str, str], folder: Path, out: Path, err: Path
) -> None:
    """Be `aad-setup …` in this child, with this environment, and write what it says to files."""
    write_to(out, 1)
    write_to(err, 2)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    main(list(arguments))


def write_to(file: Path, *numbers: int) -> None:
    """Write what this process says to a file: 1 is its output, 2 its errors."""
    with file.open("ab") as opened:
        for number in numbers:
            os.dup2(opened.fileno(), number)


async def until_sigterm(
    app: AbstractAsyncContextManager[App], begun: Callable[[App], object] = lambda _: None
) -> None:
    """Run the bot in this child, tell that it has begun, and stop politely at SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with app as running:
        begun(running)
        await stop.wait()
