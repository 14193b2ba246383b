"""What a look at an administrator's grants means for a registration, and the look that a run takes
just before it makes a secret.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.events import Event
from bot.domain.registration import Consent, Registration, RunOutcome
from bot.domain.runs import Failure
from bot.runs.base import RunBase, StepFailed, failing
from bot.runs.drift_check import compare
from bot.services import Services
from bot.storage import consents, history, registrations, runs, secrets
from bot.storage.runs import Run
from graph.consent import Awaited, Granted
from graph.drift import Drift
from graph.errors import Forbidden, GraphError, NotThereYet
from graph.plan import Plan
from graph.retry import REPLICATION_TIME
from graph.step_context import GrantContext, StepContext
from graph.steps import stages

TITLE = "Look at the consent"
MORE = "There is more in Entra than was approved."
REMOVE = "Remove it in the Entra admin centre and press Retry, or press Undo."


def awaited_of(registration: Registration, closing: AbstractSet[str] = frozenset()) -> Awaited:
    """Return what is looked at for a registration that waits."""
    application = registration.facts["application"]
    return Awaited(
        registration=registration.id,
        object_id=str(application["object_id"]),
        app_id=str(application["app_id"]),
        principal_id=str(registration.facts["service_principal"]["object_id"]),
        plan=Plan.from_json(dict(registration.plan or {})),
        closing=closing,
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
    await registrations.update(tx, id, consent=after)
    if lost := sorted(set(after.withdrawn) - set(before.withdrawn if before else ())):
        await history.write(tx, id, Event.CONSENT_WITHDRAWN, now=now, permissions=lost)
    if found is None:
        return
    steps = found.steps if isinstance(found, Granted) and not found.foreign else frozenset()
    for name in awaited_steps(registration):
        if (name in steps) != (name in registration.facts):
            await runs.note_granted(tx, id, name, now if name in steps else None)


async def settled(
    services: Services,
    context: GrantContext,
    id: str,
    *,
    within: timedelta = REPLICATION_TIME,
    is_to_be_granted: bool = False,
) -> Drift:
    """Compare until replication no longer explains what is there and not approved, or what is not
    granted although it is to be. Raises GraphError.
    """
    drift = Drift()

    def is_as_approved() -> bool:
        return not drift.unapproved and not (is_to_be_granted and drift.ungranted)

    async def once() -> None:
        nonlocal drift
        drift = Drift()
        seen = await compare(services, context, id)
        if not seen.sees_grants:
            raise Forbidden(sentence="The bot may not see what was granted.")
        drift = seen
        if not is_as_approved():
            raise NotThereYet(call="GET /applications/…")

    try:
        await context.retry_while_young(once, created_at=context.written(), within=within)
    except NotThereYet:
        if is_as_approved():  # it could not even be read
            raise
    return drift


class ConsentCheck(RunBase):
    """Looks once more whether all is granted that was approved, and nothing else."""

    async def check_or_wait(self, run: Run, context: StepContext, steps: Sequence[str]) -> bool:
        """Whether an administrator has taken these steps. If not, the registration waits for that.

        What storage knows of it may be days old, or written by others. Once the run has asked for
        its secret, it has looked. Raises StepFailed if there is more than was approved.
        """
        if await self._database.read(secrets.attempts, run.id) > 0:
            return True
        if all(name in context.facts for name in steps) and await self._is_given(run, context):
            return True
        await self._wait(run)
        return False

    async def _is_given(self, run: Run, context: StepContext) -> bool:
        """Look until replication no longer explains what is missing, or there and not approved."""
        with failing(TITLE):
            drift = await settled(self._services, context, run.registration, is_to_be_granted=True)
        if drift.unapproved:
            await self._alarm(run, drift.unapproved)
        return not drift.ungranted

    async def _alarm(self, run: Run, unapproved: Sequence[str]) -> None:
        """Alarm the approvers. Raises StepFailed."""
        async with self._services.writing() as tx:
            await registrations.bump_version(tx, run.registration)
            await consents.alarm(tx, run.registration, unapproved, now=self._clock.now())
        sentence = " ".join([MORE, *unapproved])
        raise StepFailed("ConsentForeign", Failure(step=TITLE, sentence=sentence, advice=REMOVE))

    async def _wait(self, run: Run) -> None:
        """End the run until an administrator has granted the permissions."""
        async with self._ending(run, RunOutcome.AWAITS_CONSENT) as (tx, now):
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            for name in awaited_steps(registration):
                await runs.note_granted(tx, registration.id, name, None)
            await consents.begin(tx, registration, now=now)
