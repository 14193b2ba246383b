"""The doctor as people call it: `aad-setup doctor`, a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import NamedTuple

from bot.playground.stage import Stage

SECONDS = 60.0


class Told(NamedTuple):
    """What it printed, and its exit status."""

    status: int
    text: str

    @property
    def wrong(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("✖")]

    @property
    def doubts(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("⚠")]


async def call(stage: Stage, *arguments: str, **changes: str) -> Told:
    """Call it for the bot on this stage, with changes to its environment."""
    return await call_with(stage.environ(**changes), stage.folder, *arguments)


async def call_with(environ: dict[str, str], folder: Path, *arguments: str) -> Told:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "doctor", *arguments),
        stdout=PIPE,
        stderr=STDOUT,
        cwd=folder,  # where no `.env` is
        env={**kept, "PYTHONUTF8": "1", **environ},
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return Told(process.returncode, out.decode())
