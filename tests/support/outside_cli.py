"""A command line that others wrote, in an environment of its own."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cli import Ended, begun, ended


@dataclass(frozen=True, kw_only=True)
class OutsideCli:
    """A program with its settings, whose answers are JSON."""

    program: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path
    """Its home, empty at first."""

    async def run(self, *arguments: str) -> Ended:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environ}
        process = await begun(*self.program, *arguments, environ=environ, folder=self.folder)
        return await ended(process)

    async def read(self, *arguments: str) -> Any:
        """Return what it answers, or None where it says nothing."""
        said = await self.run(*arguments)
        assert said.status == 0, said.err or said.out
        return json.loads(said.out) if said.out.strip() else None
