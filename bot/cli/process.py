"""The process of a command: settings it was started with, files, signals, exit status.

Whatever cannot be used is said all at once, in sentences, with exit status 2 and nothing started.
"""

import asyncio
import os
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from dotenv import dotenv_values

from bot.problems import Unusable

FAILED, UNUSABLE, REFUSED = 1, 2, 3
"""Exit statuses."""

STOPS = (signal.SIGTERM, signal.SIGINT)
"""Signals that ask the process to end."""


def environment() -> dict[str, str]:
    """Return the settings of the environment and, below them, of `.env`."""
    if Path(".env").is_dir():  # which dotenv passes over: a container makes one of a lost file
        refuse([".env is a folder: put a file with the settings in its place."])
    try:
        found = dotenv_values(".env", interpolate=False)  # a password may hold ${
    except UnicodeDecodeError:
        refuse([".env is not UTF-8 text: save it as UTF-8."])
    except OSError as error:
        refuse([f".env cannot be read ({type(error).__name__}): let this user read it."])
    return {name: it for name, it in found.items() if it is not None} | dict(os.environ)


def refuse(problems: Iterable[str], *, status: int = UNUSABLE) -> NoReturn:
    """Print these sentences and end."""
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(status)


@contextmanager
def in_sentences() -> Iterator[None]:
    """Print the problems of the operator, and end."""
    try:
        yield
    except Unusable as error:
        refuse(error.problems)


def keep_private() -> None:
    """Create files that others cannot read, and write no memory to disk if the process dies."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def stop_requested() -> asyncio.Event:
    """Return an event that is set when the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    return stop
