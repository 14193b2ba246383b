"""`aad-setup …` as somebody types it: an environment, a folder, what it prints, its exit status."""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from bot.__main__ import main
from tests.support.fork_server import births

SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended, and all that it printed."""

    status: int
    out: str
    err: str


async def typed(*arguments: str, environ: Mapping[str, str], folder: Path) -> Ended:
    """Run it in a process of its own that has the program imported already."""
    with tempfile.TemporaryDirectory() as name:
        said = Path(name)
        process = births.Process(target=_live, args=(arguments, dict(environ), folder, said))
        status = await _end_of(process)
        out, err = ((said / each).read_text("utf-8") for each in ("out", "err"))
    return Ended(status=status, out=out, err=err)


async def typed_cold(*arguments: str, environ: Mapping[str, str], folder: Path) -> Ended:
    """Run it in a new interpreter: all that a terminal has and a fork has not."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env={**kept, "PYTHONUTF8": "1", **environ},
        cwd=folder,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(status=process.returncode, out=out.decode(), err=err.decode())


def _live(arguments: Sequence[str], environ: Mapping[str, str], folder: Path, said: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        with (said / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    main(list(arguments))


async def _end_of(process: ForkServerProcess) -> int:
    """Start it and return its exit status. What takes too long is killed."""
    process.start()
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        async with asyncio.timeout(SECONDS):
            await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode
