"""The bodies of runs without a tenant: how each ends is said beforehand, all else is the real code.

Only what would call Graph is replaced: the preflight, the steps, the removals, the comparison, the
look at an administrator's grants.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from bot.domain.registration import Deleted, Registration
from bot.domain.runs import Failure, RunKind
from bot.domain.secrets import Secret
from bot.runs import Runs
from bot.runs.base import RunBase, StepFailed
from bot.runs.cleanup import Cleanup
from bot.runs.consent import ConsentCheck
from bot.runs.drift_check import DriftCheck
from bot.runs.journal import Entry, RunJournal
from bot.runs.provisioning import Planning, Provisioning
from bot.services import Services
from bot.storage.runs import Run
from bot.worker.consent_watch import ConsentWatch
from graph.consent import Awaited, Granted
from graph.drift import Drift
from graph.errors import GraphError
from graph.permissions import Kind, lookup
from graph.plan import FactsByStep, Plan, Refused
from graph.step_context import Facts as Learnt
from graph.step_context import Step, StepContext
from graph.steps import stages
from tests.support.factories import CLIENT_ID
from tests.support.graph_fakes import plan

SECRET = "the-one-time-secret"
NO = Failure(step="Run", sentence="No.", advice="Retry.")
InEntra = Mapping[str, Granted | GraphError | None]
"""What a look at a registration's grants finds, or that Graph does not answer."""


class Ending(StrEnum):
    """How a run ends."""

    WELL = "well"
    REFUSED = "refused"  # the preflight finds reasons against it
    FAILS_EARLY = "fails early"  # before anything is made
    FAILS_LATE = "fails late"  # the secret is made, and does not work
    FAILS_LAST = "fails last"  # everything works, and an old secret cannot be removed
    BREAKS = "breaks"  # a bug, when the secret is made


class Broken(Exception):
    """A bug of ours."""


@dataclass
class Said:
    """How the next run ends."""

    ending: Ending = Ending.WELL


class PlayedRuns(Runs):
    """Runs that end as they are told to."""

    def __init__(self, services: Services, in_entra: InEntra) -> None:
        super().__init__(services)
        self.said = Said()
        self._planning = PlayedPlanning(services, self.said)
        self._provisioning = PlayedCarrying(services, self.said, in_entra)
        self._cleanup = PlayedClearing(services, self.said)
        self._drift_check = PlayedChecking(services, self.said)

    async def play(self, run: Run, ending: Ending) -> None:
        """Let the run end so, as the engine would."""
        self.said.ending = ending
        try:
            await self.jobs()[run.kind](run.id)
        except Broken:
            await self.died(run.id, "b0b0b0b0")


Absent: Any = SimpleNamespace(graph=None, sign_in=None)
"""In the place of the tenant: code that asks it anyway breaks the test."""


class Played(RunBase):
    """What all of them do where Graph would be called."""

    def __init__(self, services: Services, said: Said) -> None:
        super().__init__(services)
        self._tenant = Absent
        self._said = said

    def _fail(self, *endings: Ending) -> None:
        if self._said.ending is Ending.BREAKS and Ending.FAILS_LATE in endings:
            raise Broken
        if self._said.ending in endings:
            raise StepFailed("outage", NO)

    async def _check_made(self, context: StepContext) -> None:
        """Nothing was made, so nothing can be somebody else's."""

    async def _take_out(self, run: Run, registration: Registration, secret: Secret) -> None:
        # A removal is all that its run does; else it is the last thing.
        self._fail(Ending.FAILS_LAST)
        if run.kind in (RunKind.REMOVE_UNREAD, RunKind.REMOVE_PREVIOUS):
            self._fail(Ending.FAILS_EARLY, Ending.FAILS_LATE)


class PlayedPlanning(Played, Planning):
    async def _read_tenant(self, registration: Registration) -> Plan:
        self._fail(Ending.FAILS_EARLY, Ending.FAILS_LATE, Ending.FAILS_LAST)
        if self._said.ending is Ending.REFUSED:
            raise Refused(("There is no such tenant.",))
        return self._made(registration)

    def _made(self, registration: Registration) -> Plan:
        form = registration.form
        profile = self._services.catalogue[form.profile]
        return plan(
            registration=registration.id,
            key=registration.key,
            profile=profile.id,
            profile_digest=profile.digest,
            name=form.name,
            notes=uuid4().hex,  # no two plans are the same
            tags=(),
            secret_name=profile.secret_name,
            scopes=(lookup("User.Read.All", Kind.SCOPE),),
            consent_mode=self._services.settings.consent_mode,
            secret_days=form.secret_days,
        )


class PlayedCarrying(Played, Provisioning):
    def __init__(self, services: Services, said: Said, in_entra: InEntra) -> None:
        Provisioning.__init__(self, services)
        self._tenant = Absent
        self._said = said
        self._consent = PlayedConsent(services, in_entra)

    async def _stage(self, run: Run, stage: list[Step], context: StepContext) -> FactsByStep:
        """Learn what the steps would have learnt."""
        found = {}
        for each in stage:
            if each.name in context.facts:
                continue
            if each.name == "application":
                self._fail(Ending.FAILS_EARLY)
            if each.name == "sign_in":
                self._fail(Ending.FAILS_LATE)
            learnt: dict[str, Any] = {"app_id": CLIENT_ID}
            if each.name == "application":
                learnt["object_id"] = f"application of {run.registration}"
            if each.name == "service_principal":
                object_id = f"principal of {run.registration}"
                made_at = self._clock.now().isoformat()
                learnt = {"object_id": object_id, "created_at": made_at}
            if each.name == "secret":
                self._fail(Ending.FAILS_EARLY)  # of a run for which nothing else is to do
                learnt = await self._minted(run, context)
            entry = Entry(run=run, step=each.name, facts=learnt, lasting=each.lasting)
            assert await self._writer.record(entry)
            found[each.name] = learnt
        return found

    async def _minted(self, run: Run, context: StepContext) -> dict[str, Any]:
        ledger = RunJournal(run=run, services=self._services)
        nonce = await ledger.attempt()
        assert isinstance(nonce, str)
        expires_at = self._clock.now() + timedelta(days=context.plan.secret_days)
        id = await ledger.seal(
            nonce,
            secret=f"{SECRET} {nonce}",
            key_id=str(uuid4()),
            hint=SECRET[:3],
            expires_at=min(expires_at, context.secret_until or expires_at),
        )
        return {"sealed_id": id}


class PlayedConsent(ConsentCheck):
    """Finds what the watch would find."""

    def __init__(self, services: Services, in_entra: InEntra) -> None:
        super().__init__(services)
        self._in_entra = in_entra

    async def _is_given(self, run: Run, context: StepContext) -> bool:
        found = self._in_entra[run.registration]
        if found is None:
            raise StepFailed("outage", NO)
        awaited = {it.name for stage in stages(context.plan) for it in stage if it.is_awaited}
        if not isinstance(found, Granted) or not found.steps >= awaited:
            return False
        if found.foreign:
            raise StepFailed("foreign", NO)
        return True


class PlayedClearing(Played, Cleanup):
    async def _remove_strays(self, run: Run, registration: Registration) -> Sequence[str]:
        self._fail(Ending.FAILS_EARLY, Ending.FAILS_LATE, Ending.FAILS_LAST)
        return []

    async def _undo_step(self, run: Run, each: Step, context: StepContext) -> None:
        await super()._undo_step(run, each, context)
        if each.name == "application":
            self._fail(Ending.FAILS_LAST)

    async def _erase(self, each: Step, context: StepContext) -> Learnt | None:
        if each.name == "secret":
            self._fail(Ending.FAILS_EARLY, Ending.FAILS_LATE)
        if each.name != "application" or each.name not in context.facts:
            return None
        return {
            "object_id": f"of {context.plan.registration}",
            "app_id": CLIENT_ID,
            "was_there": True,
        }

    async def _purge(self, context: StepContext, each: Deleted) -> None:
        self._fail(Ending.FAILS_EARLY, Ending.FAILS_LATE, Ending.FAILS_LAST)


class PlayedChecking(Played, DriftCheck):
    async def _look(self, run: Run, registration: Registration) -> Drift:
        if self._said.ending is Ending.BREAKS:
            raise Broken
        if self._said.ending is not Ending.WELL:
            raise GraphError(code="outage")
        return Drift()


class PlayedWatch(ConsentWatch):
    """Finds the grants that it is told of, by registration, once Graph answers."""

    def __init__(self, services: Services, in_entra: InEntra) -> None:
        super().__init__(services, every=3600)
        self.read: list[str] = []
        """The registrations whose grants were read, in order."""
        self.answers = asyncio.Event()
        self._asked = asyncio.Event()
        self._in_entra = in_entra

    async def ask(self) -> asyncio.Task[None]:
        """Begin a look, and return it once it waits for the answer or has nothing to ask."""
        self.read.clear()
        self.answers.clear()
        self._asked.clear()
        looking = asyncio.create_task(self.look())
        asked = asyncio.create_task(self._asked.wait())
        await asyncio.wait((looking, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        return looking

    async def _read(self, awaited: Sequence[Awaited]) -> Mapping[str, Granted | GraphError]:
        ids = [each.registration for each in awaited]
        self.read += ids
        found = {id: self._in_entra[id] for id in ids}
        self._asked.set()
        await self.answers.wait()
        return {id: it for id, it in found.items() if it is not None}
