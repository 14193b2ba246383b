"""The command line: serve, demo, manifest, keys.

Whatever cannot be used is said all at once, in sentences, with exit status 2 and nothing started.
"""

import asyncio
import json
import os
import signal
from collections.abc import Iterable
from typing import Annotated, NoReturn

import typer
from cryptography.fernet import Fernet
from dotenv import dotenv_values
from rich.console import Console
from sqlalchemy.exc import OperationalError

from bot import app, logs, slots
from bot.config import Settings, SettingsError
from bot.manifest import manifest as slack_manifest
from bot.playground import demo as story
from bot.storage.database import AlreadyRunning
from graph.clock import SystemClock

UNUSABLE = 2

main = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    help="Registers Entra applications from Slack: asked for, approved, proven, handed over once.",
)
keys = typer.Typer(help="Keys that seal the vault.")
main.add_typer(keys, name="keys")


@main.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Serve, unless another command is named."""
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Run the bot with the settings of the environment and of `.env`."""
    try:
        settings = Settings.read({**_dotenv(), **os.environ})
    except SettingsError as error:
        _refuse(error.problems)
    logs.set_up(settings.log_level)
    try:
        asyncio.run(_serve(settings))
    except app.CannotStart as error:
        _refuse(error.problems)
    except (AlreadyRunning, slots.NoSlot) as error:
        _refuse([str(error)])
    except OperationalError as error:
        _refuse([f"DATABASE_URL: the database cannot be opened ({type(error.orig).__name__})."])


@main.command()
def demo(
    plain: Annotated[bool, typer.Option(help="No colours, 100 columns.")] = False,
) -> None:
    """Play the whole story between simulators: no account, no network, a few seconds."""
    logs.set_up("ERROR")
    console = (
        Console(no_color=True, width=100, highlight=False) if plain else Console(highlight=False)
    )
    asyncio.run(story.play(console))


@main.command()
def manifest() -> None:
    """Print the Slack app manifest: api.slack.com/apps, Create New App, From a manifest."""
    typer.echo(json.dumps(slack_manifest(), indent=2))


@keys.command("new")
def new_key() -> None:
    """Print a new key for VAULT_KEYS. To rotate, put it in front of the old ones."""
    typer.echo(Fernet.generate_key().decode())


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with app.running(settings, SystemClock()):
        await stop.wait()


def _dotenv() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(".env").items() if value is not None}


def _refuse(problems: Iterable[str]) -> NoReturn:
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(UNUSABLE)


if __name__ == "__main__":
    main()
