"""The playground: its page, the story between both simulators, and each simulator alone."""

import asyncio
import json
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from bot import logs
from bot.cli.process import in_sentences, refuse, stop_requested
from bot.playground import alone, kept
from bot.playground import demo as stories
from bot.playground.page.running import shown

INTERRUPTED = 130
"""A shell's exit code for a program that Ctrl-C has ended."""


def page(*, open_browser: bool, keep: Path | None, plain: bool, view: str = "") -> None:
    """Show the page; `view` is the fragment of its address that opens one of its views."""
    if plain:
        refuse(["--plain is for the text of --story."])
    logs.set_up("ERROR")
    with in_sentences(), _folder(keep) as folder:
        is_kept = keep is not None
        asyncio.run(_show(folder, open_browser=open_browser, is_kept=is_kept, view=view))


def story(*, plain: bool, open_browser: bool, keep: Path | None) -> None:
    if open_browser or keep:
        refuse(["--open and --keep are for the page: leave out --story."])
    logs.set_up("ERROR")
    console = (
        Console(no_color=True, width=100, highlight=False) if plain else Console(highlight=False)
    )
    with in_sentences():
        is_over = asyncio.run(_play(console))
    if not is_over:
        raise typer.Exit(INTERRUPTED)


def tenant(*, as_json: bool, **options: Any) -> None:
    _run(alone.tenant(**options), as_json=as_json)


def workspace(*, as_json: bool, **options: Any) -> None:
    _run(alone.workspace(**options), as_json=as_json)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield kept.prepared(keep)
        return
    with tempfile.TemporaryDirectory(prefix="aad-setup-demo-") as name:
        yield Path(name)


async def _show(folder: Path, *, open_browser: bool, is_kept: bool, view: str) -> None:
    """Show the page until it is asked to stop. Raises Unusable if the bot does not start."""
    stop = stop_requested()
    async with shown(folder=folder) as page:
        url = f"{page.url}{view}"
        typer.echo(f"The demo is at {url}")
        typer.echo("Only this machine can open it. Nothing in it is real. Ctrl-C stops it.")
        if is_kept:
            kept.write_settings(folder, page.environ)
            typer.echo(kept.ADVICE.format(folder=folder))
        if open_browser:
            threading.Thread(target=_open, args=(url,), daemon=True).start()
        await page.bot.fails_or(stop)


def _open(url: str) -> None:
    """Open a browser, in a thread of its own: one in the terminal is there until it is closed."""
    if not webbrowser.open(url):
        typer.echo("No browser can be opened from here: open the address yourself.", err=True)


async def _play(console: Console) -> bool:
    return await stories.play(console, stop=stop_requested())


def _run(simulator: AbstractAsyncContextManager[alone.Alone], *, as_json: bool) -> None:
    """Run a simulator until it is stopped; print its addresses once it answers."""

    async def until_stopped() -> None:
        stop = stop_requested()
        async with simulator as it:
            typer.echo(json.dumps(it.to_json()) if as_json else it.to_text())
            await stop.wait()

    logs.set_up("WARNING")
    with in_sentences():
        asyncio.run(until_stopped())
