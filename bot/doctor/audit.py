"""`aad-setup audit verify`: whether history, approvals and seals are as they were signed."""

import re
from collections.abc import AsyncIterator
from functools import partial

import sqlalchemy as sa

from bot.doctor.database import current
from bot.doctor.findings import Finding, Unknown, well, wrong
from bot.problems import Unusable
from bot.settings.settings import Settings
from bot.storage import audit
from bot.storage.database import Database
from bot.storage.tables import registrations
from bot.worker.loops import run_guarded

ADVICE = "Compare with a backup and the audit log of Entra: who else can write to this database?"


async def verify(settings: Settings, id: str) -> AsyncIterator[Finding]:
    """Yield differences from the signed history, of one registration or of all.

    Raises Unusable for an unknown id.
    """
    try:
        async with current(settings) as (database, _):
            async for finding in _verify(database, id):
                yield finding
    except Unknown as error:
        yield error.finding


async def _verify(database: Database, wanted: str) -> AsyncIterator[Finding]:
    found = [each for each in await _ids(database) if not wanted or _same(each, wanted)]
    if wanted and not found:
        raise Unusable(f"There is no registration {wanted}.")
    broken = 0
    for id in found:
        differences = ["it cannot be read."]
        # One that is damaged hides no other.
        await run_guarded(f"audit of {id}", partial(_compare, database, id, differences))
        broken += bool(differences)
        for difference in differences:
            yield wrong(f"{id}: {difference}")
    if broken:
        yield wrong(f"Audit: {broken} of {len(found)} registrations are not as signed.", ADVICE)
    else:
        yield well(f"Audit: registrations looked at, all as they were signed: {len(found)}.")


async def _compare(database: Database, id: str, differences: list[str]) -> None:
    # A transaction each: a long one would keep the bot from emptying its write-ahead log.
    async with database.reading() as tx:
        differences[:] = await audit.findings(tx, id)


async def _ids(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list(await tx.scalars(sa.select(registrations.c.id).order_by(registrations.c.id)))


def _same(id: str, typed: str) -> bool:
    """Whether the typed text means this id, in any case, with its dash or without."""
    return re.sub(r"\W", "", typed).upper() in (id.replace("-", ""), id.removeprefix("AAD-"))
