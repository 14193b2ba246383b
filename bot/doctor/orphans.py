"""`aad-setup doctor --orphans`: objects that this installation left in the tenant, in sentences."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.doctor.database import look_inside
from bot.doctor.entra import TENANT_SECONDS, why_silent
from bot.doctor.findings import Finding, Unknown, doubt, well, wrong
from bot.settings.settings import Settings, SettingsError
from bot.storage.database import beside
from bot.storage.migrating import Age
from bot.storage.vault import Vault
from bot.worker import orphans
from bot.worker.loops import run_guarded
from bot.worker.orphans import Orphan
from graph.clock import Clock
from graph.connection import connected
from graph.errors import GraphError
from graph.orphans import (
    DeletedApplication,
    LonePrincipal,
    TaggedApplication,
    TaggedApplications,
    TaggedObject,
    find_deleted,
    find_lone_principals,
    find_tagged,
)

LOOK = "Look at it in the Entra admin centre, and delete it there if it is unused."
BY_ITSELF = "A running bot removes it automatically within a day."
RESTORE = "Restore it before then in the Entra admin centre, under Deleted applications."


async def find_orphans(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield marked objects in the tenant that belong to no registration.

    Then the objects in Entra's bin: it counts towards the directory's quota until it is purged.
    """
    try:
        settings = Settings.read(environ)
        found = await _search(settings, clock)
    except SettingsError as error:
        for problem in error.problems:
            yield wrong(f"Settings: {problem}")
        return
    except Unknown as error:
        yield error.finding
        return
    for finding in (*found.broken, *found.orphans):
        yield finding
    if not found.orphans:
        looked_at = len(found.marks.ours)
        yield well(f"No orphans: applications of this installation looked at: {looked_at}.")
    for finding in (*found.missed, *found.buried):
        yield finding
    if found.marks.elsewhere:
        left_out = found.marks.elsewhere
        yield doubt(f"Left out, because other installations of this program made them: {left_out}.")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The findings of a search, by kind."""

    marks: TaggedApplications
    broken: list[Finding] = field(default_factory=list)
    """Applications that could not be compared."""
    orphans: list[Finding] = field(default_factory=list)
    missed: list[Finding] = field(default_factory=list)
    """Deleted applications that a registration counts on."""
    buried: list[Finding] = field(default_factory=list)
    """The other deleted applications."""


async def _search(settings: Settings, clock: Clock) -> _Found:
    """Read the tenant, then storage: so no object found is too young to be known."""
    inside = await look_inside(settings)
    if inside.age is not Age.CURRENT or inside.installation is None:
        raise Unknown(
            wrong(
                "Database: no registrations of this version are there to compare with.",
                "Start the bot once, or check DATABASE_URL.",
            )
        )
    try:
        async with asyncio.timeout(TENANT_SECONDS), connected(settings, clock) as tenant:
            graph, ours = tenant.graph, inside.installation
            marks = await find_tagged(graph, installation=ours)
            known = {each.app_id for each in marks.ours}
            alone = await find_lone_principals(graph, installation=ours, known=known)
            deleted = await find_deleted(graph, installation=ours)
    except (GraphError, TimeoutError) as error:
        raise Unknown(await why_silent(settings, error)) from None
    found = _Found(marks=marks)
    async with (
        beside(settings.database_url, Vault(settings.vault_keys)) as database,
        database.reading() as tx,
    ):
        tagged: tuple[TaggedObject, ...] = (*marks.ours, *alone, *deleted)
        for it in tagged:
            compare = partial(_compare, tx, it, found, settings.client_id, clock.now())
            # Registrations may be damaged: one that cannot be compared hides no other.
            if await run_guarded(f"orphan {it.app_id}", compare):
                sentence = "could not be compared: a bug was logged with its id."
                found.broken.append(doubt(f"Application {it.app_id} {sentence}"))
    return found


async def _compare(
    tx: AsyncConnection, it: TaggedObject, found: _Found, client_id: str, now: datetime
) -> None:
    """Note the findings on one marked object."""
    match it:
        case TaggedApplication():
            for orphan in await orphans.find(tx, it, client_id=client_id, now=now):
                advice = BY_ITSELF if orphan.removed_by else LOOK
                found.orphans.append(wrong(_of(orphan), advice))
        case LonePrincipal() if await orphans.is_alone(tx, it, now=now):
            sentence = f"Service principal {_named(it)}: its application is gone."
            found.orphans.append(wrong(sentence, LOOK))
        case DeletedApplication():
            if await orphans.is_missed(tx, it.registration):
                found.missed.append(wrong(_until_purged(it, now), RESTORE))
            else:
                found.buried.append(well(_until_purged(it, now)))


def _named(it: TaggedObject) -> str:
    return f"“{it.name}” ({it.app_id}) of {it.registration}"


def _until_purged(it: DeletedApplication, now: datetime) -> str:
    left = (it.purged_at - now) / timedelta(days=1)
    days = round(left)
    when = "within a day" if left < 1 else f"in {days} day{'' if days == 1 else 's'}"
    return f"Deleted application {_named(it)}: Entra purges it {when}, on {it.purged_at.date()}."


def _of(orphan: Orphan) -> str:
    named = _named(orphan.application)
    if orphan.key_id is None:
        return f"Application {named}: {orphan.why}."
    return f"Secret {orphan.key_id} of application {named}: {orphan.why}."
