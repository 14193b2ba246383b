"""The playground: the story between both simulators, and each simulator alone."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import typer
from rich.console import Console

from bot import logs
from bot.cli.process import in_sentences, stop_requested
from bot.playground import alone
from bot.playground import demo as story

INTERRUPTED = 130
"""A shell's exit code for a program that Ctrl-C has ended."""


def demo(*, plain: bool) -> None:
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


async def _play(console: Console) -> bool:
    return await story.play(console, stop=stop_requested())


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
