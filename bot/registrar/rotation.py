"""Rotating: a new secret beside the one in use, which approvers have to confirm.

It extends what was approved, so it takes no less than the plan did, nor than one takes now. Each
wish has an id of its own, and a vote counts for that id and that plan only.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4

from bot.approval import ROTATABLE, Verb
from bot.domain.approval_requests import Rotation, RotationNews, RotationState
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.domain.runs import RunKind
from bot.domain.secrets import Secret, SecretState
from bot.registrar.limits import ROTATIONS, check_limit
from bot.registrar.voting import Voting
from bot.storage import history, messages, registrations, rotations, secrets, timers, votes
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind


class RotationActions(Voting):
    """From the wish for a new secret to the run that makes it."""

    async def rotate(self, id: str, *, by: Person) -> None:
        """Ask for a new secret beside the one in use. Nothing changes before it is confirmed."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.ROTATE, id, by)
            if registration.asked_rotation is not None:
                raise Refusal(
                    f"A rotation of {id} was asked for already. An approver has to confirm it."
                )
            now = self._clock.now()
            self._check_rotatable(registration, now)
            self._needed_profile(registration)
            self._policy.check_reachable(self.quorum(registration), registration, by)
            await check_limit(tx, ROTATIONS, now=now, registration=id)
            until = now + self._approval_ttl
            rotation = Rotation(id=uuid4().hex, asked_by=by, asked_at=now, until=until)
            await rotations.ask(tx, id, rotation)
            await registrations.update(tx, id, failure=None)  # of an earlier try
            await messages.add(
                tx, id, MessageKind.ROTATION, self._approval_channel, subject=rotation.id
            )
            await history.write(
                tx, id, Event.ROTATION_REQUESTED, by=by, now=now, rotation=rotation.id
            )
            if by.key != registration.requester.key:
                await rotations.tell(tx, id, RotationNews.ASKED)

    async def earlier_confirmers(self, id: str, rotation: str, *, by: Person) -> tuple[Person, ...]:
        """Return who has confirmed before, if a vote of this person would be the last needed.

        They have to be looked up again, like earlier approvers of a plan. Raises Refusal.
        """
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.CONFIRM_ROTATION, id, by)
        quorum = self.quorum(registration)
        vote = self._vote(registration, by, quorum, rotation=rotation)
        return self._to_look_up(registration.confirmations(), vote, quorum)

    async def confirm_rotation(
        self, id: str, rotation: str, *, by: Person, seen: Collection[Person] = ()
    ) -> None:
        """Vote for a rotation; the last vote that is needed starts the run. Raises Refusal.

        `seen` are those who confirmed it before, as Slack knows them now: they are judged anew at
        the last vote, like approvers of a plan.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CONFIRM_ROTATION, id, by)
            now = self._clock.now()
            asked = self._asked(registration, rotation, now)
            if asked.asked_by.key == by.key:
                raise Refusal("You asked for this yourself. Another approver has to confirm it.")
            earlier = registration.confirmations()
            if any(vote.person.key == by.key for vote in earlier):
                raise Refusal(f"You have confirmed this for {id}. It needs another approver, too.")
            self._check_rotatable(registration, now)
            self._needed_profile(registration)
            quorum = self.quorum(registration)
            vote = self._vote(registration, by, quorum, rotation=asked.id)
            await votes.cast(tx, id, vote)
            if await self._count(tx, registration, earlier, vote, seen, quorum):
                await rotations.end(tx, id, asked, RotationState.CONFIRMED)
                await self._add_run(tx, id, RunKind.ADD_SECRET, subject=asked.id)

    async def deny_rotation(self, id: str, rotation: str, *, by: Person) -> None:
        """Decide against a rotation: the secret in use stays. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.DENY_ROTATION, id, by)
            now = self._clock.now()
            asked = self._asked(registration, rotation, now)
            await rotations.end(tx, id, asked, RotationState.DENIED)
            await history.write(tx, id, Event.ROTATION_DENIED, by=by, now=now)
            await rotations.tell(tx, id, RotationNews.DENIED)

    async def cancel_rotation(self, id: str, rotation: str, *, by: Person) -> None:
        """Take a rotation back that nobody has decided on. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CANCEL_ROTATION, id, by)
            now = self._clock.now()
            asked = self._asked(registration, rotation, now)
            await rotations.end(tx, id, asked, RotationState.CANCELLED)
            await history.write(tx, id, Event.ROTATION_CANCELLED, by=by, now=now)
            if by.key != registration.requester.key:
                await rotations.tell(tx, id, RotationNews.CANCELLED)

    async def check_may_remove_previous(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person can have the previous secret removed now."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.REMOVE_PREVIOUS, id, by)
            self._check_previous_removable(registration)

    async def remove_previous(self, id: str, *, by: Person) -> None:
        """Remove the secret before the newest one now, not when its time is over. Raises Refusal.

        The due that would have removed it then comes at once.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.REMOVE_PREVIOUS, id, by)
            previous, now = self._check_previous_removable(registration), self._clock.now()
            await secrets.schedule_removal(tx, previous.id, now)
            await timers.bring_forward(tx, id, TimerKind.REMOVE_PREVIOUS, now)
            await history.write(tx, id, Event.PREVIOUS_REMOVAL_REQUESTED, by=by, now=now)

    def _check_previous_removable(self, registration: Registration) -> Secret:
        """Return the secret before the newest one. Raises Refusal unless it can do without."""
        id, previous = registration.id, registration.previous_secret
        if previous is None:
            raise Refusal(
                f"{id} has no previous secret. `/aad-setup revoke {id}` takes back all that it has."
            )
        if previous.retires_at is None:
            raise Refusal(f"{_why_unseen(registration)}, so the one before is still in use.")
        if previous.retires_at <= self._clock.now():
            raise Refusal(f"The previous secret of {id} is being removed already.")
        return previous

    def _asked(self, registration: Registration, rotation: str, now: datetime) -> Rotation:
        """Return the rotation that waits, if it is this one. Raises Refusal."""
        latest, id = registration.rotation, registration.id
        if latest is None or latest.id != rotation:
            raise Refusal(f"This is an older request for {id}: read the newest one.")
        if latest.state is not RotationState.ASKED:
            raise Refusal(f"Too late: this rotation of {id} was {_DECIDED[latest.state]} already.")
        if latest.until <= now:
            raise Refusal(f"Too late: the time that this rotation of {id} had is over.")
        return latest

    def _check_rotatable(self, registration: Registration, now: datetime) -> None:
        """Raise Refusal unless a new secret could be made now without one being lost."""
        self._check_idle(registration)
        id, secret = registration.id, registration.secret
        if secret is None:
            raise Refusal(f"{id} has no secret yet.")
        if secret.state is SecretState.SEALED:
            raise Refusal(
                f"A secret of {id} waits unseen, so it needs no new one: its requester gets it by"
                " *Get the values*."
            )
        if secret.state not in ROTATABLE:
            raise Refusal(f"The secret of {id} is being shown. Try again in a minute.")
        previous = registration.previous_secret
        if previous is None or (previous.expires_at is not None and previous.expires_at <= now):
            return
        if previous.retires_at is None:
            raise Refusal(
                f"{_why_unseen(registration)}, and the one before still works. Its requester"
                " presses *Make a new one*, which takes no approval."
            )
        if previous.retires_at <= now:
            raise Refusal(f"The previous secret of {id} is being removed. Ask again after that.")
        raise Refusal(
            f"{id} was rotated lately: the secret before works until"
            f" {previous.retires_at.date().isoformat()}. Ask again after that."
        )


def _why_unseen(registration: Registration) -> str:
    """Say why the newest secret is not the one in use."""
    id, secret = registration.id, registration.secret
    match secret.state if secret else None:
        case SecretState.CLOSED | SecretState.REMOVED:
            return f"Nobody came for the new secret of {id} in time"
        case SecretState.UNKNOWN:
            return f"Nobody can tell whether the new secret of {id} was seen"
        case _:
            return f"The new secret of {id} was not seen yet"


_DECIDED = {
    RotationState.CONFIRMED: "confirmed",
    RotationState.DONE: "confirmed",
    RotationState.FAILED: "confirmed",
    RotationState.DENIED: "denied",
    RotationState.EXPIRED: "withdrawn",
    RotationState.WITHDRAWN: "withdrawn",
    RotationState.CANCELLED: "cancelled",
}
