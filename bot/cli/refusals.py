"""Errors that each have sentences for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.process import refuse
from bot.domain.catalogue import CatalogueError
from bot.planning.cli_arguments import Unusable
from bot.settings.settings import SettingsError
from bot.startup_checks import CannotStart
from bot.storage.database import AlreadyRunning, UnusableDatabase
from bot.worker.replicas import NoSlot


@contextmanager
def in_sentences() -> Iterator[None]:
    """Print all that cannot be used, and end."""
    try:
        yield
    except (SettingsError, CannotStart, Unusable) as error:
        refuse(error.problems)
    except (AlreadyRunning, UnusableDatabase, NoSlot, CatalogueError) as error:
        refuse([str(error)])
