"""Runs: the bodies of each kind of work for a registration. A body only walks steps, which the
engine carries across crashes."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from bot.domain.people import CONTACT
from bot.domain.runs import Failure, RunKind
from bot.runs.base import StepFailed
from bot.runs.cleanup import Cleanup
from bot.runs.drift_check import DriftCheck
from bot.runs.journal import Attempts, Superseded, Walk
from bot.runs.provisioning import Planning, Provisioning
from bot.services import Services
from bot.storage import runs
from bot.worker.engine import Body


class Runs:
    """What each kind of run does."""

    def __init__(self, services: Services) -> None:
        self._database = services.database
        self.attempts = Attempts(services)
        self._planning = Planning(services)
        self._provisioning = Provisioning(services, go_on=self.attempts.go_on)
        self._cleanup = Cleanup(services)
        self._drift_check = DriftCheck(services)

    def jobs(self) -> Mapping[str, Body]:
        """Return the bodies by kind, as the engine wants them."""
        walks: Mapping[str, Walk] = {
            RunKind.PLAN: self._planning.make_plan,
            RunKind.REGISTER: self._provisioning.provision,
            RunKind.REPLACE_SECRET: self._provisioning.provision,
            RunKind.ADD_SECRET: self._provisioning.provision,
            RunKind.REMOVE_PREVIOUS: self._cleanup.remove_previous,
            RunKind.REMOVE_UNREAD: self._cleanup.remove_unread,
            RunKind.REMOVE_STRAY: self._cleanup.remove_stray,
            RunKind.UNDO: self._cleanup.remove_everything,
            RunKind.REVOKE: self._cleanup.remove_everything,
            RunKind.PURGE: self._cleanup.purge,
            RunKind.CHECK: self._drift_check.check,
        }
        carry, counted = self._cleanup.carry, self.attempts.counted
        return {kind: partial(counted, partial(carry, it)) for kind, it in walks.items()}

    async def died(self, id: str, bug: str) -> None:
        """End a run that broke, or that the engine gave up, and say so with the bug's id."""
        run = await self._database.read(runs.get, id)
        if run is None:
            return
        failure = Failure(
            step="Run",
            sentence="Something went wrong on our side.",
            advice=f"Retry. If it happens again, give {CONTACT} this error ID: {bug}.",
            bug=bug,
        )
        with suppress(Superseded):
            if run.kind is RunKind.CHECK:  # which is no failure of the registration
                await self._drift_check.give_up(run, bug)
                return
            # The scans do the rest: the scheduler must not wait for Entra.
            await self._cleanup.close(run)
            await self._cleanup.fail(run, StepFailed("bug", failure))
