"""`aad-setup doctor --orphans`: objects that this installation left in the tenant, in sentences."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.doctor.database import current
from bot.doctor.findings import Finding, Mark, Unknown, doubt, reported, well, wrong
from bot.doctor.services import TENANT_SECONDS, why_silent
from bot.settings.settings import Settings
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


@reported
async def find_orphans(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield marked objects in the tenant that belong to no registration.

    Then the objects in Entra's bin: it counts towards the directory's quota until it is purged. The
    tenant is read first and storage after it: so no object found is too young to be known.
    """
    settings = Settings.read(environ)
    async with current(settings) as (database, ours):
        marks, alone, deleted = await _marked(settings, clock, installation=ours)
        async with database.reading() as tx:
            compare = partial(_compared, tx, settings.client_id, clock.now())
            found = [finding for it in (*marks.ours, *alone) for finding in await compare(it)]
            buried = [finding for it in deleted for finding in await compare(it)]
    for finding in found:
        yield finding
    if not any(finding.mark is Mark.WRONG for finding in found):
        looked_at = len(marks.ours)
        yield well(f"No orphans: applications of this installation looked at: {looked_at}.")
    for finding in sorted(buried, key=lambda each: each.mark is Mark.WELL):
        yield finding
    if left_out := marks.elsewhere:
        yield doubt(f"Left out, because other installations of this program made them: {left_out}.")


async def _marked(
    settings: Settings, clock: Clock, *, installation: str
) -> tuple[TaggedApplications, Iterable[LonePrincipal], Iterable[DeletedApplication]]:
    """Return the marked objects of the tenant. Raises Unknown."""
    try:
        async with asyncio.timeout(TENANT_SECONDS), connected(settings, clock) as tenant:
            marks = await find_tagged(tenant.graph, installation=installation)
            known = {each.app_id for each in marks.ours}
            alone = await find_lone_principals(tenant.graph, installation=installation, known=known)
            return marks, alone, await find_deleted(tenant.graph, installation=installation)
    except (GraphError, TimeoutError) as error:
        raise Unknown(await why_silent(settings, error)) from None


async def _compared(
    tx: AsyncConnection, client_id: str, now: datetime, it: TaggedObject
) -> list[Finding]:
    """Return the findings on one marked object: one that cannot be compared hides no other."""
    found: list[Finding] = []
    if await run_guarded(f"orphan {it.app_id}", partial(_compare, tx, client_id, now, it, found)):
        sentence = "could not be compared: a bug was logged with its id."
        return [doubt(f"Application {it.app_id} {sentence}")]
    return found


async def _compare(
    tx: AsyncConnection, client_id: str, now: datetime, it: TaggedObject, found: list[Finding]
) -> None:
    match it:
        case TaggedApplication():
            for orphan in await orphans.find(tx, it, client_id=client_id, now=now):
                advice = BY_ITSELF if orphan.removed_by else LOOK
                found.append(wrong(_of(orphan), advice))
        case LonePrincipal() if await orphans.is_alone(tx, it, now=now):
            sentence = f"Service principal {_named(it)}: its application is gone."
            found.append(wrong(sentence, LOOK))
        case DeletedApplication():
            is_missed = await orphans.is_missed(tx, it.registration)
            said = _until_purged(it, now)
            found.append(wrong(said, RESTORE) if is_missed else well(said))


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
