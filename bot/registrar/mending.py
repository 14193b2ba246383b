"""Mending: go on with what has failed, take it back, compare the tenant with the plan."""

from bot.approval import Verb
from bot.registrar.desk import Desk
from bot.registration import Person, RunKind, Status
from bot.storage import dues, history, registrations
from bot.storage.dues import DueKind


class Mending(Desk):
    """Runs that people ask for once the plan has been decided on."""

    async def retry(self, id: str, *, by: Person) -> None:
        """Go on with a failed registration where it stopped. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.RETRY, id, by)
            self._check_idle(registration)
            self._needed_profile(registration)
            planned = registration.plan is not None
            target = Status.APPROVED if planned else Status.PLANNING
            await registrations.move(tx, id, target, failure=None, deadline=None)
            await dues.drop(tx, id, DueKind.UNDO)
            await self._owe_run(tx, id, RunKind.REGISTER if planned else RunKind.PLAN)
            await history.write(tx, id, "retried", by=by, now=self._clock.now())

    async def undo(self, id: str, *, by: Person) -> None:
        """Remove what a failed registration has made. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.UNDO, id, by)
            self._check_idle(registration)
            await dues.drop(tx, id, DueKind.UNDO)
            await self._owe_run(tx, id, RunKind.UNDO)
            await history.write(tx, id, "undo asked", by=by, now=self._clock.now())

    async def check(self, id: str, *, by: Person) -> None:
        """Have the tenant compared with the plan; `by` is told the result. Raises Refusal."""
        id = id.upper()
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.CHECK, id, by)
            self._check_idle(registration)
            await self._owe_run(tx, id, RunKind.CHECK, subject=by.user_id)
            await history.write(tx, id, "check asked", by=by, now=self._clock.now())
