"""What a look at an administrator's grants means for a registration, and the look that a run takes
just before it makes a secret.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.registration import Consent, Registration, RunOutcome
from bot.domain.runs import Failure
from bot.runs.base import RunBase, StepFailed, failing
from bot.storage import consents, history, registrations, runs
from bot.storage.runs import Run
from graph.consent import Awaited, Granted, look
from graph.drift import look as compare
from graph.errors import GraphError, NotThereYet
from graph.plan import Plan
from graph.step_context import StepContext
from graph.steps import stages

TITLE = "Look at the consent"


def awaited_of(registration: Registration) -> Awaited:
    """Return what is looked at for a registration that waits."""
    application = registration.facts["application"]
    return Awaited(
        registration=registration.id,
        object_id=str(application["object_id"]),
        app_id=str(application["app_id"]),
        principal_id=str(registration.facts["service_principal"]["object_id"]),
        plan=Plan.from_json(dict(registration.plan or {})),
    )


def awaited_steps(registration: Registration) -> Sequence[str]:
    """Return the names of the steps that an administrator takes."""
    plan = Plan.from_json(dict(registration.plan or {}))
    return [each.name for stage in stages(plan) for each in stage if each.is_awaited]


def seen(before: Consent, found: Granted | GraphError | None, now: datetime) -> Consent:
    """Return what is known after a look. Without one, nothing has changed."""
    if found is None:
        return replace(before, at=now)
    if isinstance(found, GraphError):
        return replace(before, at=now, trouble=found.sentence)
    granted = {str(each) for each in found.permissions}
    lost = set(before.granted) - granted
    missed, withdrawn = lost - set(before.missed), lost & set(before.missed)
    return replace(
        before,
        at=now,
        granted=tuple(sorted(granted | missed)),
        missed=tuple(sorted(missed)),
        withdrawn=tuple(sorted((set(before.withdrawn) | withdrawn) - granted)),
        extras=found.extras,
        foreign=found.foreign,
        sees_scopes=found.sees_scopes,
        trouble=None,
    )


def is_whole(registration: Registration, found: Granted) -> bool:
    """Whether all that was approved is granted, and nothing else."""
    return not found.foreign and set(awaited_steps(registration)) <= found.steps


async def note(
    tx: AsyncConnection,
    registration: Registration,
    after: Consent,
    found: Granted | GraphError | None,
    *,
    now: datetime,
) -> None:
    """Keep what was found or granted, and the steps that it takes. The row must be locked."""
    id, before = registration.id, registration.consent
    await registrations.set_consent(tx, id, after)
    if lost := sorted(set(after.withdrawn) - set(before.withdrawn if before else ())):
        await history.write(tx, id, Event.CONSENT_WITHDRAWN, now=now, permissions=lost)
    steps = found.steps if isinstance(found, Granted) and not found.foreign else frozenset()
    for name in awaited_steps(registration):
        if (name in steps) != (name in registration.facts):
            await runs.note_granted(tx, id, name, now if name in steps else None)


class ConsentCheck(RunBase):
    """Looks once more whether all is granted that was approved, and nothing else."""

    async def is_given(self, run: Run, context: StepContext, steps: Sequence[str]) -> bool:
        """Whether an administrator has taken these steps. If not, the registration waits for that.

        What storage knows of it may be days old, or written by others. Raises StepFailed if more
        was granted or changed than was approved.
        """
        known = all(name in context.facts for name in steps)
        if not known or not await self._is_granted(run, context, steps):
            await self._wait(run)
            return False
        await self._check_nothing_else(run, context)
        return True

    async def _is_granted(self, run: Run, context: StepContext, steps: Sequence[str]) -> bool:
        """Look until replication no longer explains what is missing."""
        awaited = awaited_of(await self._registration(run))

        async def once() -> None:
            found = await look(
                context.graph,
                [awaited],
                tenant_cache=self._tenant.tenant_cache,
                now=self._clock.now(),
            )
            granted = found[awaited.registration]
            if not isinstance(granted, Granted):
                raise granted
            if not set(steps) <= granted.steps:
                raise NotThereYet(call="GET …/appRoleAssignments")

        with failing(TITLE):
            try:
                await context.retry_until_replicated(once)
            except NotThereYet:
                return False
        return True

    async def _check_nothing_else(self, run: Run, context: StepContext) -> None:
        """Compare the application as a check does. Raises StepFailed, and alarms the approvers."""
        foreign: tuple[str, ...] = ()

        async def once() -> None:
            nonlocal foreign
            cache = self._tenant.tenant_cache
            foreign = (await compare(context, tenant_cache=cache, secrets={})).alarming
            if foreign:  # unless a replica has not heard of our own writes
                raise NotThereYet(call="GET /applications/…")

        with failing(TITLE):
            try:
                await context.retry_until_replicated(once)
                return
            except NotThereYet as error:
                if not foreign:
                    raise
                sentence = " ".join(["There is more in Entra than was approved.", *foreign])
                advice = "Remove it in the Entra admin centre and press Retry, or press Undo."
                code = error.code
        async with self._services.writing() as tx:
            channel, now = self._services.settings.approval_channel, self._clock.now()
            await registrations.bump_version(tx, run.registration)
            await consents.alarm(tx, run.registration, foreign, now=now, approval_channel=channel)
        raise StepFailed(code, Failure(step=TITLE, sentence=sentence, advice=advice))

    async def _wait(self, run: Run) -> None:
        """End the run until an administrator has granted the permissions."""
        async with self._services.writing() as tx:
            if not await self._end(tx, run, RunOutcome.AWAITS_CONSENT):
                return
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            for name in awaited_steps(registration):
                await runs.note_granted(tx, registration.id, name, None)
            channel, now = self._services.settings.approval_channel, self._clock.now()
            await consents.begin(tx, registration, now=now, approval_channel=channel)
