"""Orphans: marked objects in the tenant that belong to no registration, and how they are removed.

A mark can be copied by any user who may write applications, so it proves nothing. Only an object
with the key and all tags of a registration that was created by this bot is ours, and is removed.
The tenant is read first and storage after it: then no object found is too young to be known.

Once a day one replica searches the tenant. What is not proven ours is only reported, once in the
registration's history and each day in the log. The search has a loop of its own, so that a tenant
that does not answer delays no timer.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.lifetimes import ORPHANS_EVERY, ORPHANS_RETRY
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.services import Services
from bot.storage import history, installation, registrations, runs, secrets
from bot.worker.loops import Loop, run_guarded
from graph.errors import GraphError
from graph.orphans import LonePrincipal, TaggedApplication, find_tagged
from graph.retry import REPLICATION_TIME

log = structlog.get_logger()

LONGEST_SECONDS = 20.0
"""Real seconds for reading: an hour later is early enough."""
HOLDING = frozenset({Status.APPROVED, Status.WAITING_FOR_CONSENT, Status.READY, Status.FAILED})
"""The states in which a registration may have an application."""
TAKEN_BACK = frozenset({Status.UNDONE, Status.REVOKED})


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """An application, or one of its secrets, that no registration answers for."""

    application: TaggedApplication
    key_id: str | None = None
    """The secret's, where it is not the whole application."""
    why: str
    is_known: bool = True
    """Whether there is a registration that it names."""
    removed_by: RunKind | None = None
    """The run that removes it, if it is proven ours."""

    @property
    def registration(self) -> str:
        return self.application.registration


async def find(
    tx: AsyncConnection, application: TaggedApplication, *, client_id: str, now: datetime
) -> list[Orphan]:
    """Return the problems of an application that the tenant has shown before."""
    found = await registrations.get(tx, application.registration)
    live = await secrets.live(tx, application.registration)
    was_made = await runs.was_done(tx, application.registration, "application")
    kept = frozenset(secret.key_id for secret in live if secret.key_id)
    kept |= await secrets.closing(tx, application.registration)  # they are on their way out
    return list(
        judged(application, found, kept=kept, was_made=was_made, client_id=client_id, now=now)
    )


async def is_alone(tx: AsyncConnection, principal: LonePrincipal, *, now: datetime) -> bool:
    """Whether a service principal has lost its application, and no run of ours is the reason.

    While a registration is created or removed, and until that has replicated, one of the two is
    seen without the other.
    """
    found = await registrations.get(tx, principal.registration)
    if found is None:
        return True
    written = await runs.last_write(tx, principal.registration)
    if found.run is not None or found.status is Status.REVOKING:
        return False
    return written is None or now >= written + REPLICATION_TIME


async def is_missed(tx: AsyncConnection, registration: str) -> bool:
    """Whether a deleted application is one that its registration counts on."""
    found = await registrations.get(tx, registration)
    return found is not None and found.status is Status.READY and found.run is None


def judged(
    application: TaggedApplication,
    registration: Registration | None,
    *,
    kept: frozenset[str],
    was_made: bool,
    client_id: str,
    now: datetime,
) -> Iterator[Orphan]:
    """Yield the orphans of one application.

    `kept` are the key ids that should be there. `was_made` is whether the registration has ever
    known its application: then it was removed, and only a person can have restored it.
    """
    orphan, is_our_own = partial(Orphan, application=application), is_ours(application, client_id)
    if registration is None:
        yield orphan(is_known=False, why="no registration here has this id")
    elif application.key != registration.key:
        yield orphan(why="it does not carry the registration's key")
    elif registration.run is not None or registration.status is Status.REVOKING:
        return  # its run is active or will be retried, and cleans up after itself
    elif registration.status in TAKEN_BACK and was_made:
        yield orphan(why="it was removed, and then restored in Entra")
    elif _is_over(registration, now):
        undo = RunKind.UNDO if is_our_own else None
        yield orphan(why=f"its registration is {registration.status}", removed_by=undo)
    elif registration.status not in HOLDING and not registration.was_begun:
        yield orphan(why=f"its registration is {registration.status} and never made one")
    else:
        is_sweepable = is_our_own and made_by(registration) == application.id
        sweep = RunKind.REMOVE_STRAY if is_sweepable else None
        why = "it carries the registration's id, but is none that the bot keeps"
        strays = (each.key_id for each in application.held if each.key_id not in kept)
        yield from (orphan(key_id=each, why=why, removed_by=sweep) for each in strays)


def _is_over(registration: Registration, now: datetime) -> bool:
    """Whether nothing of it should be left: undone, or failed and past the time for a retry."""
    if registration.status is Status.UNDONE:
        return True
    deadline = registration.deadline
    return registration.status is Status.FAILED and deadline is not None and now >= deadline


def is_ours(application: TaggedApplication, client_id: str) -> bool:
    """Whether it carries all tags of its registration, and this bot has made it."""
    creator = application.created_by or ""
    return application.is_complete and creator.casefold() == client_id.casefold()


def made_by(registration: Registration) -> str | None:
    """Return the object id of the application that the registration knows it has made."""
    id: str | None = registration.facts.get("application", {}).get("object_id")
    return id


class OrphanScan:
    """Searches for an installation, which it shares with other replicas."""

    def __init__(self, services: Services, *, every: float) -> None:
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self.loop = Loop("orphans", self.look, every=every)

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
        await self._database.write(installation.set_last_orphan_scan, self._clock.now())

    async def _is_my_turn(self) -> bool:
        since = self._clock.now() - ORPHANS_EVERY
        if not await self._database.read(installation.is_orphan_scan_due, since=since):
            return False
        claim, again = installation.claim_orphan_scan, since + ORPHANS_RETRY
        return await self._database.write(claim, since=since, until=again)

    async def _search(self) -> tuple[TaggedApplication, ...] | None:
        """Return the marked objects, or None if the tenant does not answer."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                graph, marked = self._services.tenant.graph, self._services.installation
                return (await find_tagged(graph, installation=marked)).ours
        except (GraphError, TimeoutError) as error:
            ids = {"request": getattr(error, "request_id", None)}
            code = getattr(error, "code", "TimeoutError")
            log.warning("orphans are looked for later", code=code, **ids)
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
        return await find(tx, application, client_id=client_id, now=self._clock.now())

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
