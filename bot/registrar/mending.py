"""Mending: go on with what has failed, take it back, compare the tenant with the plan."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.registrar.desk import Desk
from bot.registration import Person, Refusal, RunKind, Status
from bot.storage import dues, history, registrations
from bot.storage.dues import DueKind

CHECK_PAUSE = timedelta(minutes=5)
"""How far apart checks are that people ask for, while nothing changes."""


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
            await self._check_pause(tx, id)
            await self._owe_run(tx, id, RunKind.CHECK, subject=by.user_id)
            await history.write(tx, id, "check asked", by=by, now=self._clock.now())

    async def _check_pause(self, tx: AsyncConnection, id: str) -> None:
        """Raise Refusal if a check was asked for just now, and no new secret was made since."""
        since = self._clock.now() - CHECK_PAUSE
        asked = await history.count(tx, "check asked", registration=id, since=since)
        made = await history.count(tx, "ready", registration=id, since=since)
        if asked > made:
            raise Refusal(
                f"A check of {id} was asked for less than five minutes ago. Its card says what came"
                " of it; ask again in a few minutes."
            )
