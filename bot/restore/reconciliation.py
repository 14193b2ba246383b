"""After a restore: compare the copy with the tenant before anything acts on it.

The copy lacks every event since it was made. So a secret that was unseen may have been
seen since, an open approval may have been withdrawn, and an application may have been made or
removed. The tenant is believed where it can be read; all doubt counts against acting:
such a secret is neither shown nor removed, such an approval has to be given again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.registration import Registration
from bot.restore.registration_reconciler import RegistrationReconciler, TenantState
from bot.services import Services
from bot.storage import history, installation, registrations
from bot.worker.orphans import is_ours, made_by
from graph.errors import GraphError
from graph.orphans import (
    DeletedApplication,
    TaggedApplication,
    find_by_id,
    find_deleted,
    find_tagged,
    principal_of,
)
from graph.retry import exponential

log = structlog.get_logger()

LONGEST_WAIT = 60.0
"""Seconds between two tries, at most, while the tenant does not answer."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a comparison, for the approvers."""

    changes: Sequence[tuple[str, Mapping[str, Any]]]
    """By registration: the details of its entry in history."""
    unknown: tuple[TaggedApplication, ...]
    """Applications of this installation whose registration is not in the copy."""


class Reconciliation:
    """Compares a restored copy with the tenant, and tells the approvers the result."""

    def __init__(self, services: Services, *, tell: Callable[[Report], Awaitable[bool]]) -> None:
        """`tell` returns whether there is no need to tell it again."""
        self._database = services.database
        self._services = services
        self._graph = services.tenant.graph
        self._clock = services.clock
        self._tell = tell
        self.missing: str | None = None
        """Why nothing may act yet, as one phrase; None once the copy was compared."""

    async def done(self, *, signed_in: Callable[[], Awaitable[object]], leads: bool) -> None:
        """Return once no restored copy waits for its comparison. `signed_in` comes before it.

        A replica that does not lead leaves it to the one that does.
        """
        tries = 0
        while (since := await self._database.read(installation.restored_at)) is not None:
            if self.missing is None:
                self.missing = "a restored copy of the database is compared with Entra first"
                await signed_in()  # a refusal by Entra ends the start
            if leads and await self._tried(since):
                break
            tries += 1
            await self._clock.sleep(exponential(tries, LONGEST_WAIT))
        self.missing = None

    async def _tried(self, since: datetime) -> bool:
        """Compare everything; return whether that was possible and the approvers know."""
        try:
            report = await self._compare(since)
        except GraphError as error:
            log.warning("compared later", code=error.code, request=error.request_id)
            return False
        log.warning(
            "restored copy compared with the tenant",
            changed=len(report.changes),
            unknown=len(report.unknown),
        )
        for each in report.unknown:
            log.warning("not in the copy", application=each.app_id, registration=each.registration)
        if not await self._tell(report):
            return False
        await self._database.write(installation.end_restore)
        return True

    async def _compare(self, since: datetime) -> Report:
        marked = self._services.installation
        ours = (await find_tagged(self._graph, installation=marked)).ours
        bin = await find_deleted(self._graph, installation=marked)
        deleted = {each.registration: each for each in bin}
        async with self._database.reading() as tx:
            done = {id for id, _ in await _changed(tx, since)}
            todo = [id for id in await registrations.unsettled(tx) if id not in done]
            known = await registrations.versions(tx, {each.registration for each in ours})
        for id in todo:
            found = [it for it in ours if it.registration == id]
            await self._settle(id, found, deleted.get(id), since)
        changes = await self._database.read(_changed, since)
        return Report(
            changes=changes,
            unknown=tuple(each for each in ours if each.registration not in known),
        )

    async def _settle(
        self,
        id: str,
        found: Sequence[TaggedApplication],
        deleted: DeletedApplication | None,
        since: datetime,
    ) -> None:
        """Bring one registration to where it stands in the tenant."""
        registration = await self._database.read(registrations.get, id)
        assert registration is not None
        shown = await self._look(registration, found, deleted)
        async with self._database.transaction() as tx:
            settling = RegistrationReconciler(
                tx, registration, shown, since=since, now=self._clock.now()
            )
            await settling.reconcile()

    async def _look(
        self,
        registration: Registration,
        found: Sequence[TaggedApplication],
        deleted: DeletedApplication | None,
    ) -> TenantState:
        """Find the registration's application. One that the copy knows and that is not listed is
        asked for by its id: a listing may lag behind, and its tags may have been changed.
        """
        made, id = made_by(registration), registration.id
        if made is not None:
            listed = next((it for it in found if it.id == made), None)
            there = listed or await find_by_id(self._graph, made, registration=id)
            return TenantState(application=there, deleted=deleted)
        client_id = self._services.settings.client_id
        for each in found:
            if is_ours(each, client_id) and each.key == registration.key:
                principal = await principal_of(self._graph, each.app_id)
                return TenantState(application=each, principal_id=principal, deleted=deleted)
        return TenantState(deleted=deleted)


async def _changed(tx: AsyncConnection, since: datetime) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return the changes by this restore: the details of its entries, by registration.

    The clocks of two machines may differ, so the entries name the restore.
    """
    told = await history.since(tx, Event.RESTORED, since - timedelta(days=1))
    restore = since.isoformat()
    return [(id, it.details) for id, it in told if it.details["restore"] == restore]
