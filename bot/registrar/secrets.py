"""Showing the values, and the secret once: claimed, shown, masked, made anew, removed."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.events import Event, Subject
from bot.domain.forms import Values, values_of
from bot.domain.lifetimes import (
    PREVIOUS_SECRET,
    REVEAL_CONFIRMED,
    SECRET_VISIBLE,
    SHORTEST_SECRET,
    UNREAD_SECRET,
)
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.domain.runs import RunKind
from bot.domain.secrets import Secret, SecretState
from bot.registrar.access import Access
from bot.registrar.kinds import check_idle, why_unseen
from bot.storage import (
    audit,
    history,
    messages,
    registrations,
    runs,
    secret_notices,
    secrets,
    timers,
)
from bot.storage.secrets import Purpose
from bot.storage.timers import TimerKind
from bot.storage.vault import SealBroken


@dataclass(frozen=True, kw_only=True)
class Reveal:
    """The one look at a secret."""

    secret: str
    values: Values

    def __repr__(self) -> str:
        return f"Reveal({self.secret}, …)"


@dataclass(frozen=True)
class Secrets:
    """What the requester gets, and how often."""

    access: Access

    async def values(self, id: str, *, by: Person) -> Values:
        """Return the connector values without the secret. Raises Refusal."""
        registration = await self.access.loaded_for(Verb.VALUES, id, by)
        return values_of(registration, self.access.profile(registration))

    async def check_may_reveal(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person may see its secret."""
        await self.access.loaded_for(Verb.REVEAL, id, by)

    async def reveal(self, id: str, *, by: Person, answer_to: str) -> Reveal:
        """Take the secret out of the vault, for one look at `answer_to`. Raises Refusal.

        The claim is committed before the secret is returned: of two clicks one wins, and a crash
        loses the secret rather than showing it twice. That it will be masked is committed with it,
        because later it is unknown what stands on a screen. The caller says `shown` or `lost`
        next.
        """
        async with self.access.locked_for(Verb.REVEAL, id, by) as (tx, registration):
            secret = registration.secret
            if secret is None or not secret.is_unread:
                raise Refusal(_why_not(registration))
            if registration.deadline is not None and registration.deadline <= self.access.now():
                raise Refusal(f"The deadline of {id} has passed, so this can't be done.")
            profile = self.access.profile(registration)  # before anything is claimed
            clear = await self._opened(tx, registration, secret.id)
            mask = await secrets.owner(tx, secret.id, Purpose.ANSWER)
            kept = {"sealed": None, "answer_to": self.access.services.vault.seal(mask, answer_to)}
            state, since = SecretState.CLAIMED, [SecretState.SEALED]
            await secrets.change(tx, secret.id, state, since=since, **kept)
            now = self.access.now()
            await registrations.update(tx, id, deadline=None)
            for kind in (TimerKind.REMOVE_UNREAD, TimerKind.REMIND_UNREAD):
                await timers.cancel(tx, id, kind)
            subject = Subject(secret=secret.id)
            await timers.add(tx, id, TimerKind.UNKNOWN, now + REVEAL_CONFIRMED, subject)
            await timers.add(tx, id, TimerKind.MASK, now + SECRET_VISIBLE, subject)
            await history.write(tx, id, Event.SECRET_CLAIMED, by=by, now=now, secret=secret.id)
        return Reveal(secret=secret.id, values=values_of(registration, profile, secret=clear))

    async def _opened(self, tx: AsyncConnection, registration: Registration, secret: str) -> str:
        """Return the clear secret if history knows of no reveal of it. Raises Refusal."""
        owner, sealed = await secrets.sealed(tx, secret, Purpose.SECRET)
        contact, vault = self.access.services.policy.contact, self.access.services.vault
        if not vault.holds_key_of(sealed or b""):
            raise Refusal(
                "The bot's keys do not open this secret, so nothing was shown and nothing is"
                f" lost. Tell {contact} that `VAULT_KEYS` lacks a key."
            )
        entries = await audit.checked(tx, registration)
        if any(
            it.what == Event.SECRET_CLAIMED and it.details.get("secret") == secret for it in entries
        ):
            raise Refusal(
                f"The history of {registration.id} says that this secret has been shown before, so"
                " it is not shown again. Press *Make a new one*, and tell"
                f" {contact}: the bot's database was changed by something else."
            )
        try:
            return vault.open(owner, sealed or b"")
        except SealBroken:
            raise Refusal(audit.changed(registration.id)) from None

    async def shown(self, id: str, secret: str, *, by: Person) -> None:
        """Note that Slack took the secret."""
        await self._confirm(id, secret, SecretState.SEEN, Event.SECRET_SHOWN, by)

    async def lost(self, id: str, secret: str, *, by: Person) -> None:
        """Note that it is unknown whether the secret was seen."""
        await self._confirm(id, secret, SecretState.UNKNOWN, Event.SECRET_UNKNOWN, by)

    async def _confirm(
        self, id: str, secret: str, state: SecretState, event: Event, by: Person
    ) -> None:
        """Say what came of a claim, unless that was decided in the meantime."""
        async with self.access.services.writing() as tx:
            await registrations.bump_version(tx, id)
            await timers.cancel(tx, id, TimerKind.UNKNOWN, Subject(secret=secret))
            if await secrets.change(tx, secret, state, since=[SecretState.CLAIMED]):
                await history.write(tx, id, event, by=by, now=self.access.now(), secret=secret)
                if state is SecretState.SEEN:
                    await self._schedule_removal_of_older(tx, id, secret)
                await secret_notices.plan_expiry(tx, id)

    async def mask(self, id: str, *, by: Person) -> None:
        """Have whatever is open masked now instead of in a minute. Raises Refusal.

        History tells of it once: the button may be pressed as often as the user likes.
        """
        async with self.access.locked_for(Verb.VALUES, id, by) as (tx, _):
            now = self.access.now()
            if await timers.bring_forward(tx, id, TimerKind.MASK, now):
                await history.write(tx, id, Event.MASK_REQUESTED, by=by, now=now)

    async def masked(self, id: str, secret: str) -> None:
        """Note that the secret is off the screen."""
        async with self.access.services.writing() as tx:
            await self._end_look(tx, id, secret, Event.SECRET_MASKED)

    async def unmasked(self, id: str, secret: str) -> None:
        """Note that Slack would not mask the secret."""
        async with self.access.services.writing() as tx:
            if await self._end_look(tx, id, secret, Event.SECRET_NOT_MASKED):
                await messages.note_mask_failed(tx, id, secret)

    async def _end_look(self, tx: AsyncConnection, id: str, secret: str, event: Event) -> bool:
        """Forget where the secret can be masked. False if another process has ended the look."""
        await registrations.bump_version(tx, id)
        if not await secrets.forget_answer_to(tx, secret):
            return False
        # The requester may mask it before the reveal has come to note that it is shown.
        since = [SecretState.CLAIMED, SecretState.SEEN]
        if await secrets.change(tx, secret, SecretState.SEEN, since=since):
            await timers.cancel(tx, id, TimerKind.UNKNOWN, Subject(secret=secret))
            await history.write(tx, id, event, now=self.access.now(), secret=secret)
            await self._schedule_removal_of_older(tx, id, secret)
            await secret_notices.plan_expiry(tx, id)
        return True

    async def _schedule_removal_of_older(self, tx: AsyncConnection, id: str, seen: str) -> None:
        """Give what a secret follows, now that it was seen, the date at which it is removed."""
        live, now = await secrets.live(tx, id), self.access.now()
        new = next(each for each in live if each.id == seen)
        for old in live:
            if old.made_at < new.made_at and old.remove_at is None:
                at = min(now + PREVIOUS_SECRET, old.expires_at or now)
                await secrets.schedule_removal(tx, old.id, at)
                await timers.add(tx, id, TimerKind.REMOVE_PREVIOUS, at, Subject(secret=old.id))

    async def replace(self, id: str, *, by: Person) -> None:
        """Make a new secret in place of a lost one, which then stops working. Raises Refusal."""
        async with self.access.locked_for(Verb.REPLACE_SECRET, id, by) as (tx, registration):
            check_idle(registration)
            secret = registration.secret
            if secret is None or not secret.may_be_replaced:
                raise Refusal(_why_not(registration))
            if not registration.approvals():  # they came after the copy that was restored
                raise Refusal(
                    f"The approvals of {id} are unknown, so a new secret takes an approver."
                    f" `/aad-setup rotate {id}` asks for one."
                )
            if secret.expires_at is None or secret.expires_at < self.access.now() + SHORTEST_SECRET:
                raise Refusal(
                    f"The approved lifetime of the secret of {id} has ended."
                    f" `/aad-setup rotate {id}` asks for a new one, which an approver confirms."
                )
            self.access.profile(registration)
            now, kind = self.access.now(), RunKind.REPLACE_SECRET
            await runs.add(tx, registration=id, kind=kind, subject=secret.id, now=now)
            await history.write(tx, id, Event.REPLACEMENT_REQUESTED, by=by, now=now)

    async def check_may_remove_previous(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this user can have the previous secret removed now."""
        registration = await self.access.loaded_for(Verb.REMOVE_PREVIOUS, id, by)
        self._removable(registration)

    async def remove_previous(self, id: str, *, by: Person) -> None:
        """Remove the secret before the newest one now: its timer fires at once. Raises Refusal."""
        async with self.access.locked_for(Verb.REMOVE_PREVIOUS, id, by) as (tx, registration):
            previous, now = self._removable(registration), self.access.now()
            await secrets.schedule_removal(tx, previous.id, now)
            await timers.bring_forward(tx, id, TimerKind.REMOVE_PREVIOUS, now)
            await history.write(tx, id, Event.PREVIOUS_REMOVAL_REQUESTED, by=by, now=now)

    def _removable(self, registration: Registration) -> Secret:
        """Return the secret before the newest one. Raises Refusal unless it can be removed now."""
        id, previous = registration.id, registration.previous_secret
        if previous is None:
            raise Refusal(
                f"{id} has no previous secret. `/aad-setup revoke {id}` removes the application and"
                " all its secrets."
            )
        if previous.remove_at is None:
            raise Refusal(f"{why_unseen(registration)}, so the one before is still in use.")
        if previous.remove_at <= self.access.now():
            raise Refusal(f"The previous secret of {id} is being removed already.")
        return previous


def _why_not(registration: Registration) -> str:
    """Say why the secret cannot be shown, and what to do next."""
    id, secret = registration.id, registration.secret
    if registration.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET):
        return f"A new secret of {id} is being made. You get a message when it works."
    if secret is not None and secret.is_superseded:
        return f"The secret of {id} was replaced by one that failed. Press *Make a new one*."
    if secret is not None and secret.removed_because is not None:
        return (
            f"The secret of {id} wasn't picked up within {UNREAD_SECRET.days} days, so it was"
            " deleted from Entra. Press *Make a new one*."
        )
    said = {
        SecretState.SEEN: f"The secret of {id} has already been shown and can't be shown again. If"
        " you didn't save it, press *Make a new one*.",
        SecretState.CLAIMED: f"The secret of {id} is being shown right now.",
        SecretState.UNKNOWN: f"It is unknown whether the secret of {id} was seen. Press *Make a new"
        " one*.",
        SecretState.SEALED: f"The secret of {id} waits unseen: press *Get the values*.",
        SecretState.ATTEMPTED: f"{id} has no secret yet.",
    }
    return said[secret.state if secret else SecretState.ATTEMPTED]
