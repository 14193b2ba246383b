"""The doctor: check everything that the bot needs, change nothing, and advise.

Each check is one line. It reads the database beside a running bot, without its lock, and uses the
same tables of rights as the bot.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from bot.checks import exposures
from bot.doctor.database import check_database
from bot.doctor.findings import NO_START, Finding, doubt, well, wrong
from bot.doctor.services import check_entra, check_slack
from bot.domain.catalogue import Catalogue, CatalogueError, catalogue_in, read_catalogue
from bot.settings.settings import Settings, SettingsError
from graph.clock import Clock
from graph.clouds import Cloud
from handlers.listeners.commands import RESERVED


def refused_profiles(cloud: Cloud, catalogue: Catalogue) -> Iterator[Finding]:
    """Report, once, the profiles that cannot be requested in this cloud."""
    seen = catalogue_in(cloud, catalogue).values()
    if names := ", ".join(each.id for each in seen if each.refusal):
        said = f"refused in ENTRA_CLOUD={cloud.name}, as their vendors say: {names}."
        yield well(f"Catalogue: {said}")


async def examine(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield the findings of every check, as they come."""
    catalogue: Catalogue = {}
    try:
        catalogue = read_catalogue(reserved=RESERVED)
    except CatalogueError as error:
        for problem in error.problems:
            yield wrong(f"Catalogue: {problem}", NO_START)
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        for problem in error.problems:
            yield wrong(f"Settings: {problem}")
        yield doubt("Fix these settings; the other checks need them.")
        return
    yield well("Settings: everything that is needed is there.")
    for finding in refused_profiles(settings.cloud, catalogue):
        yield finding
    for exposure in exposures(settings, environ, Path()):
        yield doubt(f"Exposure: {exposure}")
    for look in (check_database(settings), check_slack(settings)):
        async for finding in look:
            yield finding
    for finding in await check_entra(settings, clock, catalogue):
        yield finding
