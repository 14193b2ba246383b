"""The run that compares the tenant with the plan: it reads, tells, and changes nothing there."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event, Subject
from bot.domain.lifetimes import CHECK_EVERY, CHECK_RETRY
from bot.domain.registration import Check, Registration, RunOutcome
from bot.runs.base import RunBase
from bot.services import Services
from bot.storage import history, messages, registrations, runs, secrets, timers
from bot.storage.messages import MessageKind
from bot.storage.runs import Run
from bot.storage.timers import TimerKind
from graph.drift import Drift, look
from graph.errors import GraphError, NotThereYet
from graph.retry import REPLICATION_TIME
from graph.step_context import GrantContext

log = structlog.get_logger()

TOLD = ("differences", "alarming", "tolerated", "unseen")
"""The fields that a check keeps of the comparison."""


async def compare(services: Services, context: GrantContext, id: str) -> Drift:
    """Compare everything that a registration has in the tenant. Raises GraphError."""
    async with services.database.reading() as tx:
        live, closing = await secrets.live(tx, id), await secrets.closing(tx, id)
    return await look(
        context,
        tenant_cache=services.tenant.tenant_cache,
        closing=closing,
        secrets={each.key_id: each.expires_at for each in live if each.key_id and each.expires_at},
    )


class DriftCheck(RunBase):
    """Compare a plan that was carried out with the tenant."""

    async def check(self, run: Run) -> None:
        """Compare once, store the result, and tell the people concerned."""
        registration = await self._registration(run)
        written = await self._database.read(runs.last_write, registration.id)
        found: Drift | GraphError
        try:
            found = await self._look(run, registration)
            may_change = bool(found.differences)
        except GraphError as error:
            found, may_change = error, isinstance(error, NotThereYet)
            ids = {"run": run.id, "code": error.code, "request": error.request_id}
            log.warning("tenant not compared", **ids)
        # Until then a difference may be our own write on its way to a replica.
        settled_at = (written or registration.created_at) + REPLICATION_TIME
        if may_change and self._clock.now() < settled_at:
            # Without a word; the result of the next look is for the same person.
            async with self._ending(run, RunOutcome.UNSETTLED) as (tx, _):
                await _check_again(tx, run.registration, settled_at, told=run.subject or "")
        elif isinstance(found, GraphError):
            await self._could_not(run, found.code, f"{found.sentence} {found.advice}")
        else:
            await self._tell(run, registration, found)

    async def give_up(self, run: Run, bug: str) -> None:
        """End a check that broke."""
        await self._could_not(run, "bug", f"The bot itself broke down: bug {bug}.")

    async def _look(self, run: Run, registration: Registration) -> Drift:
        context = self._step_context(run, registration)
        return await compare(self._services, context, run.registration)

    async def _tell(self, run: Run, registration: Registration, drift: Drift) -> None:
        """Alarm the approvers, too: of anything new, and of the rest once a week, so that repeated
        checks do not fill the channel.
        """
        before = registration.check.alarming if registration.check else ()
        is_new, id = bool(set(drift.alarming) - set(before)), run.registration
        async with self._ending(run, RunOutcome.CHECKED) as (tx, now):
            await _check_again(tx, id, now + CHECK_EVERY)
            told = {name: getattr(drift, name) for name in TOLD}
            await self._keep(tx, run, Check(at=now, **told))
            if is_new or (drift.alarming and run.subject is None):
                await messages.add(tx, id, MessageKind.ALARM, subject=Subject(run=run.id))
            await history.write(tx, id, Event.CHECKED, now=now, differences=list(drift.differences))
        if drift.alarming:
            ids = {"registration": id, "run": run.id}
            log.warning("changed in Entra, not by this bot", count=len(drift.alarming), **ids)

    async def _could_not(self, run: Run, code: str, sentence: str) -> None:
        """Tell the person who asked that the bot could not read it, and retry tomorrow."""
        async with self._ending(run, code) as (tx, now):
            await _check_again(tx, run.registration, now + CHECK_RETRY)
            await self._keep(tx, run, Check(at=now, failure=sentence))
            await history.write(tx, run.registration, Event.CHECK_FAILED, now=now, code=code)

    async def _keep(self, tx: AsyncConnection, run: Run, check: Check) -> None:
        """Store the result, and tell the user who asked; of differences else the requester."""
        id, subject = run.registration, Subject(run=run.id)
        await registrations.update(tx, id, last_check=check)
        if run.subject is not None or check.differences:
            await messages.add(tx, id, MessageKind.DRIFT, subject=subject, to=run.subject)


async def _check_again(tx: AsyncConnection, id: str, at: datetime, told: str = "") -> None:
    """Add exactly one more check, whose result `told` gets in any case."""
    await timers.cancel(tx, id, TimerKind.CHECK)
    await timers.add(tx, id, TimerKind.CHECK, at, Subject(user=told))
