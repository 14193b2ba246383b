"""Runs: the bodies of each kind of work for a registration. A body only walks steps, which the
engine carries across crashes."""

from collections.abc import Mapping

from bot.domain.people import CONTACT
from bot.domain.runs import Failure, RunKind
from bot.runs.base import StepFailed
from bot.runs.cleanup import Cleanup
from bot.runs.drift_check import DriftCheck
from bot.runs.planning import Planning
from bot.runs.provisioning import Provisioning
from bot.runs.purging import Purging
from bot.services import Services
from bot.worker.attempts import Attempts
from bot.worker.engine import Body


class Runs:
    """What each kind of run does."""

    def __init__(self, services: Services) -> None:
        self._attempts = Attempts(services.database, services.executor)
        self._planning = Planning(services)
        self._provisioning = Provisioning(services, go_on=self._attempts.go_on)
        self._cleanup = Cleanup(services)
        self._drift_check = DriftCheck(services)
        self._purging = Purging(services)

    def jobs(self) -> Mapping[str, Body]:
        """Return the bodies by kind, as the engine wants them."""
        bodies: Mapping[str, Body] = {
            RunKind.PLAN: self._planning.make_plan,
            RunKind.REGISTER: self._provisioning.provision,
            RunKind.REPLACE_SECRET: self._provisioning.provision,
            RunKind.ADD_SECRET: self._provisioning.provision,
            RunKind.REMOVE_PREVIOUS: self._cleanup.remove_previous,
            RunKind.REMOVE_UNREAD: self._cleanup.remove_unread,
            RunKind.REMOVE_STRAY: self._cleanup.remove_stray,
            RunKind.UNDO: self._cleanup.undo,
            RunKind.REVOKE: self._cleanup.revoke,
            RunKind.PURGE: self._purging.purge,
            RunKind.CHECK: self._drift_check.check,
        }
        return {kind: self._attempts.counted(body) for kind, body in bodies.items()}

    async def release(self) -> None:
        """Note before a stop that what is at work will be begun again by no fault of its own."""
        await self._attempts.release()

    async def died(self, id: str, bug: str) -> None:
        """End a run that broke, or that the engine gave up, and say so with the bug's id."""
        if await self._drift_check.give_up(id, bug):
            return
        failure = Failure(
            step="Run",
            sentence="Something went wrong on our side.",
            advice=f"Retry. If it happens again, give {CONTACT} this error ID: {bug}.",
            bug=bug,
        )
        # The scans do the rest: the scheduler must not wait for Entra.
        await self._provisioning.close(id)
        await self._provisioning.fail(id, StepFailed("bug", failure))
