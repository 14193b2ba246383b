"""`aad-setup …` as somebody types it: an environment, a folder, what it prints, its exit status."""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.fork_server import Forked, run

SECONDS = 60.0
PROGRAM = (sys.executable, "-m", "bot")


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
        out, err = said / "out", said / "err"
        process = Forked(run, arguments, dict(environ), folder, out, err)
        try:
            async with asyncio.timeout(SECONDS):
                status = await process.wait()
        finally:
            process.kill()
        return Ended(status=status, out=out.read_text("utf-8"), err=err.read_text("utf-8"))


async def typed_cold(*arguments: str, environ: Mapping[str, str], folder: Path) -> Ended:
    """Run it in a new interpreter: all that a terminal has and a fork has not."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environ = {**kept, "PYTHONUTF8": "1", **environ}
    return await ended(await begun(*PROGRAM, *arguments, environ=environ, folder=folder))


async def begun(*program: str, environ: Mapping[str, str], folder: Path) -> Process:
    """Start a program in a folder, with this environment and nothing of ours."""
    return await create_subprocess_exec(*program, stdout=PIPE, stderr=PIPE, env=environ, cwd=folder)


async def ended(process: Process) -> Ended:
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(status=process.returncode, out=out.decode(), err=err.decode())
