"""An older copy of the database, put in place or announced."""

import asyncio
from pathlib import Path

import typer

from bot import logs
from bot.cli.process import environment, in_sentences, keep_private, refuse
from bot.restore import database_copy as copies
from bot.settings.settings import Settings
from bot.storage.vault import Vault
from graph.clock import SystemClock


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
