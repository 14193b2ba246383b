"""Commands of the operator: the doctor, the audit of the signed history, and a restore."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import typer

from bot import logs
from bot.cli.process import FAILED, STOPS, environment, in_sentences, keep_private, refuse
from bot.doctor import examine
from bot.doctor.database import verify
from bot.doctor.findings import Finding, Mark
from bot.doctor.live import prove_limits
from bot.doctor.orphans import find_orphans
from bot.restore import database_copy as copies
from bot.settings.settings import Settings
from bot.storage.vault import Vault
from graph.clock import SystemClock


def doctor(*, orphans: bool, live: bool) -> None:
    if orphans and live:
        refuse(["Say --orphans or --live, one of the two."])
    logs.set_up("ERROR")
    look = prove_limits if live else find_orphans if orphans else examine
    _print(look(environment(), SystemClock()), stops=(*STOPS, signal.SIGHUP) if live else ())


def verify_history(id: str) -> None:
    with in_sentences():
        settings = Settings.read(environment())
        logs.set_up("ERROR")
        _print(verify(settings, id))


def _print(findings: AsyncIterator[Finding], *, stops: Iterable[signal.Signals] = ()) -> None:
    """Print each finding as it comes; end with a status that says whether something is wrong.

    The signals in `stops` let the look put in order what it has begun, however often they come.
    """
    try:
        is_well = asyncio.run(_is_well(findings, stops))
    except asyncio.CancelledError:
        raise typer.Abort from None
    if not is_well:
        raise typer.Exit(FAILED)


async def _is_well(findings: AsyncIterator[Finding], stops: Iterable[signal.Signals]) -> bool:
    if task := asyncio.current_task():
        for number in stops:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    marks = []
    async for finding in findings:
        typer.echo(str(finding))
        marks.append(finding.mark)
    return Mark.WRONG not in marks


def restore(file: Path | None, *, done: bool) -> None:
    if done == (file is not None):
        refuse(["Name the copy, or say --done if it is in place already: one of the two."])
    with in_sentences():
        settings = Settings.read(environment())
        logs.set_up(settings.log_level)
        keep_private()
        typer.echo(asyncio.run(_restored(settings, file)))


async def _restored(settings: Settings, file: Path | None) -> str:
    """Restore, or announce a restore; return the message."""
    url, vault = settings.database_url, Vault(settings.vault_keys)
    now, then = SystemClock().now(), "Start the bot: it compares the copy with Entra first."
    if file is None:
        await copies.announce(url, vault=vault, now=now)
        return f"Announced. {then}"
    aside = await copies.put_in_place(url, file, vault=vault, now=now)
    kept = f" The database before it is kept as {aside}." if aside else ""
    return f"{file} is in place.{kept} {then}"
