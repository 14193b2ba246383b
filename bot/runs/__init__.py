"""Runs: the bodies of each kind of work for a registration. A body only walks steps, which the
engine carries across crashes."""

from collections.abc import Mapping

from bot.domain.registration import RunKind
from bot.runs.base import RunServices, StepFailed, Tenant
from bot.runs.cleanup import Cleanup
from bot.runs.drift_check import DriftCheck
from bot.runs.planning import Planning
from bot.runs.provisioning import Provisioning
from bot.runs.purging import Purging
from bot.worker.attempts import Attempts
from bot.worker.engine import Body

__all__ = ["RunServices", "Runs", "Tenant"]


class Runs:
    """What each kind of run does."""

    def __init__(self, parts: RunServices) -> None:
        self._beginnings = Attempts(parts.database, entra=parts.entra)
        self._planning = Planning(parts)
        self._carrying = Provisioning(parts, go_on=self._beginnings.go_on)
        self._clearing = Cleanup(parts)
        self._checking = DriftCheck(parts)
        self._purging = Purging(parts)

    def jobs(self) -> Mapping[str, Body]:
        """Return the bodies by kind, as the engine wants them."""
        bodies: Mapping[str, Body] = {
            RunKind.PLAN: self._planning.make_plan,
            RunKind.REGISTER: self._carrying.carry_out,
            RunKind.REPLACE_SECRET: self._carrying.carry_out,
            RunKind.ADD_SECRET: self._carrying.carry_out,
            RunKind.REMOVE_PREVIOUS: self._clearing.retire,
            RunKind.REMOVE_UNREAD: self._clearing.remove,
            RunKind.REMOVE_STRAY: self._clearing.sweep,
            RunKind.UNDO: self._clearing.undo,
            RunKind.REVOKE: self._clearing.revoke,
            RunKind.PURGE: self._purging.purge,
            RunKind.CHECK: self._checking.check,
        }
        return {kind: self._beginnings.counted(body) for kind, body in bodies.items()}

    async def put_down(self) -> None:
        """Note before a stop that what is at work will be begun again by no fault of its own."""
        await self._beginnings.put_down()

    async def died(self, id: str, bug: str) -> None:
        """End a run that broke, or that the engine gave up, and say so with the bug's id."""
        if await self._checking.give_up(id, bug):
            return
        words = {
            "step": "Run",
            "sentence": "The bot itself broke down: this is a bug, and nothing you did.",
            "advice": f"Retry. If it happens again, tell whoever runs this bot: bug {bug}.",
        }
        await self._carrying.close(id)  # the sweeps do the rest: the keeper must not wait for Entra
        await self._carrying.fail(id, StepFailed("bug", words), bug=bug)
