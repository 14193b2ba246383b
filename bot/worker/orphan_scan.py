"""Orphan scan: once a day one replica searches the tenant for orphans.

Objects that are proven ours are removed by the runs that exist for it; others are only reported,
once in the registration's history and each day in the log. It has a loop of its own, so that a
tenant that does not answer delays no timer.
"""

import asyncio
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.lifetimes import ORPHANS_EVERY, ORPHANS_RETRY
from bot.services import Services
from bot.storage import history, installation, registrations, runs
from bot.worker import orphans
from bot.worker.loops import Loop, Wakeup, run_guarded
from bot.worker.orphans import Orphan
from graph.errors import GraphError
from graph.orphans import TaggedApplication, find_tagged

log = structlog.get_logger()

LONGEST_SECONDS = 20.0
"""Real seconds for reading: an hour later is early enough."""


class OrphanScan:
    """Searches for an installation, which it shares with other replicas."""

    def __init__(self, services: Services, *, every: float) -> None:
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self.loop = Loop("orphans", self.look, wakeup=Wakeup(), every=every)

    async def look(self) -> None:
        """Search the tenant if no replica has for a day."""
        if self._services.entra.missing is not None or not await self._is_my_turn():
            return
        found = await self._search()
        if found is None:
            return
        for application in found:
            # A mark can be copied: a problem with one application must hide no other.
            await run_guarded(f"orphan {application.app_id}", partial(self._handle, application))
        async with self._database.transaction() as tx:
            await installation.set_last_orphan_scan(tx, self._clock.now())

    async def _is_my_turn(self) -> bool:
        now = self._clock.now()
        async with self._database.reading() as tx:
            if not await installation.is_orphan_scan_due(tx, since=now - ORPHANS_EVERY):
                return False
        async with self._database.transaction() as tx:
            again = now - ORPHANS_EVERY + ORPHANS_RETRY
            return await installation.claim_orphan_scan(tx, since=now - ORPHANS_EVERY, until=again)

    async def _search(self) -> tuple[TaggedApplication, ...] | None:
        """Return the marked objects, or None if the tenant does not answer."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                graph, marked = self._services.tenant.graph, self._services.installation
                return (await find_tagged(graph, installation=marked)).ours
        except GraphError as error:
            log.warning("orphans are looked for later", code=error.code, request=error.request_id)
        except TimeoutError:
            log.warning("orphans are looked for later", code="TimeoutError")
        return None

    async def _handle(self, application: TaggedApplication) -> None:
        async with self._database.reading() as tx:
            found = await self._find(tx, application)
            owing = [orphan for orphan in found if await self._needs_action(tx, orphan)]
        for orphan in found:
            if orphan.removed_by is None:
                log.warning("orphan found", registration=orphan.registration, **_told(orphan))
        if not owing:
            return
        async with self._services.writing() as tx:
            await registrations.bump_version(tx, application.registration)
            # Read again under the lock: a run may have begun since.
            for orphan in await self._find(tx, application):
                if await self._needs_action(tx, orphan):
                    await self._settle(tx, orphan)

    async def _find(self, tx: AsyncConnection, application: TaggedApplication) -> list[Orphan]:
        client_id = self._services.settings.client_id
        return await orphans.find(tx, application, client_id=client_id, now=self._clock.now())

    async def _needs_action(self, tx: AsyncConnection, orphan: Orphan) -> bool:
        """Whether it is still to be removed, or to be told to a registration that is there."""
        if orphan.removed_by is not None:
            return not await runs.is_busy(tx, orphan.registration)
        if not orphan.is_known:
            return False
        told = await history.read(tx, orphan.registration)
        return all(entry.what != Event.ORPHAN or entry.details != _told(orphan) for entry in told)

    async def _settle(self, tx: AsyncConnection, orphan: Orphan) -> None:
        """Add the run that removes it, or report it in its registration's history."""
        now = self._clock.now()
        if orphan.removed_by is None:
            await history.write(tx, orphan.registration, Event.ORPHAN, now=now, **_told(orphan))
            return
        await runs.add(tx, registration=orphan.registration, kind=orphan.removed_by, now=now)
        log.info("removal of an orphan begins", registration=orphan.registration, **_ids(orphan))


def _told(orphan: Orphan) -> dict[str, Any]:
    return {"why": orphan.why, **_ids(orphan)}


def _ids(orphan: Orphan) -> dict[str, str]:
    secret = {} if orphan.key_id is None else {"secret": orphan.key_id}
    return {"application": orphan.application.app_id, **secret}
