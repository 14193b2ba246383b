"""The doctor as people call it: `aad-setup doctor`."""

from typing import NamedTuple

from bot.doctor import examine
from bot.doctor.findings import Finding, Mark
from bot.playground.stage import Stage
from tests.support.cli import typed


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
    environ, folder = stage.environ(**changes), stage.folder
    ended = await typed("doctor", *arguments, environ=environ, folder=folder)
    return Told(ended.status, ended.out + ended.err)


async def findings(
    stage: Stage, about: str = "", mark: Mark | None = None, /, **changes: str
) -> list[Finding]:
    """Examine in this process; return what is said about something, or with a mark."""
    looking = examine(stage.environ(**changes), stage.clock)
    return [it async for it in looking if about in it.sentence and mark in (None, it.mark)]
