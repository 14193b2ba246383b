"""Commands that only look: at everything the bot needs, and at its signed history."""

import asyncio
from collections.abc import AsyncIterator

import typer

from bot import logs
from bot.cli.process import FAILED, environment, in_sentences
from bot.doctor import examine
from bot.doctor.audit import verify
from bot.doctor.findings import Finding, Mark
from bot.doctor.orphans import find_orphans
from bot.settings.settings import Settings
from graph.clock import SystemClock


def doctor(*, orphans: bool) -> None:
    logs.set_up("ERROR")
    look = find_orphans if orphans else examine
    _print(look(environment(), SystemClock()))


def verify_history(id: str) -> None:
    with in_sentences():
        settings = Settings.read(environment())
        logs.set_up("ERROR")
        _print(verify(settings, id))


def _print(findings: AsyncIterator[Finding]) -> None:
    """Print each finding as it comes; end with a status that says whether something is wrong."""
    if not asyncio.run(_is_well(findings)):
        raise typer.Exit(FAILED)


async def _is_well(findings: AsyncIterator[Finding]) -> bool:
    marks = []
    async for finding in findings:
        typer.echo(str(finding))
        marks.append(finding.mark)
    return Mark.WRONG not in marks
