"""`aad-setup tenant` and `aad-setup workspace` as other programs meet them: processes."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cli import PROGRAM, SECONDS, Ended, begun, ended


@dataclass(frozen=True, kw_only=True)
class SimulatorProcess:
    """A simulator in a process of its own. `told` is the first line that it printed."""

    process: Process
    told: str

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads(self.told))

    async def lines_until(self, last: str) -> list[str]:
        """Return the lines that it prints next, up to this one."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            text = await self.process.stdout.readuntil(f"{last}\n".encode())
        return text.decode().splitlines()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Ask it to end, and return how it did and what else it had printed."""
        self.process.send_signal(number)
        return await ended(self.process)


async def command(
    *arguments: str, folder: Path, environ: Mapping[str, str] | None = None
) -> Process:
    """Start `aad-setup` in a folder, with an environment that knows nothing of ours."""
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **(environ or {})}
    return await begun(*PROGRAM, *arguments, environ=environ, folder=folder)


@asynccontextmanager
async def simulator_process(*arguments: str, folder: Path) -> AsyncIterator[SimulatorProcess]:
    """Run a simulator on a free port; kill it at the end if it is still there."""
    process = await command(*arguments, "--port", "0", folder=folder)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            told = (await process.stdout.readline()).decode()
        assert told, (await ended(process)).err
        yield SimulatorProcess(process=process, told=told)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
