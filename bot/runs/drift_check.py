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
        settled_at = await self._settled_at(registration)
        try:
            drift = await self._look(run, registration)
        except GraphError as error:
            log.warning(
                "tenant not compared", run=run.id, code=error.code, request=error.request_id
            )
            if isinstance(error, NotThereYet) and self._clock.now() < settled_at:
                await self._wait(run, settled_at)
            else:
                await self._could_not(run, error.code, f"{error.sentence} {error.advice}")
            return
        if drift.differences and self._clock.now() < settled_at:
            await self._wait(run, settled_at)
        else:
            await self._tell(run, registration, drift)

    async def give_up(self, run: Run, bug: str) -> None:
        """End a check that broke."""
        await self._could_not(run, "bug", f"The bot itself broke down: bug {bug}.")

    async def _look(self, run: Run, registration: Registration) -> Drift:
        context = self._step_context(run, registration)
        return await compare(self._services, context, run.registration)

    async def _settled_at(self, registration: Registration) -> datetime:
        """From when on a difference is one, and not our own write on its way to a replica."""
        async with self._database.reading() as tx:
            written = await runs.last_write(tx, registration.id)
        return (written or registration.created_at) + REPLICATION_TIME

    async def _wait(self, run: Run, until: datetime) -> None:
        """End without a word, and look again for the same person when all has settled."""
        async with self._database.transaction() as tx:
            await self._end_check(tx, run, RunOutcome.UNSETTLED, again=until, told=run.subject)

    async def _tell(self, run: Run, registration: Registration, drift: Drift) -> None:
        async with self._services.writing() as tx:
            now, id = self._clock.now(), run.registration
            if not await self._end_check(tx, run, RunOutcome.CHECKED, again=now + CHECK_EVERY):
                return
            told = {name: getattr(drift, name) for name in TOLD}
            await self._keep(tx, run, Check(at=now, **told))
            if self._is_to_alarm(run, registration, drift):
                await messages.add(tx, id, MessageKind.ALARM, subject=Subject(run=run.id))
            await history.write(tx, id, Event.CHECKED, now=now, differences=list(drift.differences))
        if drift.alarming:
            ids = {"registration": id, "run": run.id}
            log.warning("changed in Entra, not by this bot", count=len(drift.alarming), **ids)

    def _is_to_alarm(self, run: Run, registration: Registration, drift: Drift) -> bool:
        """Whether the approvers are told: of anything new, and of the rest once a week.

        Repeated checks do not fill the channel.
        """
        before = registration.check.alarming if registration.check else ()
        is_new = bool(set(drift.alarming) - set(before))
        return is_new or (bool(drift.alarming) and run.subject is None)

    async def _could_not(self, run: Run, code: str, sentence: str) -> None:
        """Tell the person who asked that the bot could not read it, and retry tomorrow."""
        async with self._services.writing() as tx:
            now = self._clock.now()
            if not await self._end_check(tx, run, code, again=now + CHECK_RETRY):
                return
            await self._keep(tx, run, Check(at=now, failure=sentence))
            await history.write(tx, run.registration, Event.CHECK_FAILED, now=now, code=code)

    async def _keep(self, tx: AsyncConnection, run: Run, check: Check) -> None:
        """Store the result, and tell the user who asked; of differences else the requester."""
        id, subject = run.registration, Subject(run=run.id)
        await registrations.update(tx, id, last_check=check)
        if run.subject is not None or check.differences:
            await messages.add(tx, id, MessageKind.DRIFT, subject=subject, to=run.subject)

    async def _end_check(
        self,
        tx: AsyncConnection,
        run: Run,
        outcome: RunOutcome | str,
        *,
        again: datetime,
        told: str | None = None,
    ) -> bool:
        """End the run and add exactly one more, whose result `told` gets in any case."""
        if not await self._end(tx, run, outcome):
            return False
        await timers.cancel(tx, run.registration, TimerKind.CHECK)
        await timers.add(tx, run.registration, TimerKind.CHECK, again, Subject(user=told or ""))
        return True
