"""Handing a registration over to somebody else, when its requester leaves."""

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import RotationState
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.registrar.base import RegistrarBase
from bot.registrar.limits import HANDOVERS, check_limit
from bot.storage import audit, history, messages, registrations, rotations, secrets
from bot.storage.messages import MessageKind
from bot.storage.secrets import Purpose
from bot.storage.vault import SealBroken


class HandoverActions(RegistrarBase):
    """From one requester to the next, confirmed by an approver."""

    async def hand_over(self, id: str, *, to: Person, by: Person) -> None:
        """Ask that `to` becomes the requester. Nothing changes before an approver confirms it."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.HAND_OVER, id, by)
            self._check_new_requester(registration, to)
            if registration.new_requester is None:  # else the message that asks is redrawn
                await messages.add(
                    tx, id, MessageKind.HANDOVER, self._approval_channel, subject=registration.offer
                )
            elif registration.new_requester.key == to.key:
                raise Refusal(f"An approver was asked already whether <@{to.user_id}> takes over.")
            await check_limit(tx, HANDOVERS, now=self._clock.now(), registration=id)
            await registrations.propose_requester(tx, id, to, named_by=by)
            await history.write(
                tx, id, Event.HANDOVER_REQUESTED, by=by, now=self._clock.now(), to=to.user_id
            )

    async def confirm_handover(self, id: str, *, to: Person, by: Person) -> None:
        """Let `to`, who must still be the heir and able to, be the requester. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CONFIRM, id, by)
            new_requester = registration.new_requester
            if new_requester is None:
                raise Refusal(f"Nobody is to take {id} over: this was decided already.")
            if new_requester.key != to.key:
                raise Refusal(
                    f"<@{new_requester.user_id}> is to take {id} over by now, not <@{to.user_id}>:"
                    " read the request again."
                )
            if new_requester.key == by.key:
                raise Refusal(f"You are to take {id} over. Another approver has to confirm it.")
            if registration.handover_asked_by == by.user_id and self._takes_several(registration):
                raise Refusal(
                    f"You asked for this yourself, and {id} takes more than one approver."
                    " Another has to confirm it."
                )
            self._check_new_requester(registration, to)
            await audit.check_offer(tx, registration)
            await self._change_requester(tx, registration, to)
            await self._withdraw_rotation(tx, registration)
            await history.write(
                tx, id, Event.HANDED_OVER, by=by, now=self._clock.now(), to=to.user_id
            )
            await messages.add(tx, id, MessageKind.PROGRESS, to.user_id)
            secret = registration.secret
            if registration.status is Status.READY and secret is not None:
                await messages.add(tx, id, MessageKind.VALUES, to.user_id, subject=secret.id)

    async def _change_requester(
        self, tx: AsyncConnection, registration: Registration, to: Person
    ) -> None:
        """Make `to` the requester, and seal for them what was sealed for the one before."""
        kept = await secrets.kept(tx, registration.id)
        try:
            clear = [self._vault.open(*await self._sealed(tx, *each)) for each in kept]
        except SealBroken:
            raise Refusal(
                f"The bot's keys do not open the secret of {registration.id}, so it cannot be"
                f" handed over. Tell {self._policy.contact}: `VAULT_KEYS` lacks a key, or the"
                " bot's database was changed."
            ) from None
        await registrations.change_requester(tx, registration, to)
        for (id, purpose), text in zip(kept, clear, strict=True):
            owner = await secrets.owner(tx, id, purpose)
            await secrets.put(tx, id, purpose, self._vault.seal(owner, text))

    async def _sealed(self, tx: AsyncConnection, id: str, purpose: Purpose) -> tuple[str, bytes]:
        owner, data = await secrets.sealed(tx, id, purpose)
        return owner, data or b""

    async def requester_left(self, id: str, *, who: str, message: str) -> None:
        """Note that the requester's account is deactivated or gone, and tell the approvers so, once
        for each message that was not sent.

        If `who`, a user id, has handed it over since, there is nothing to tell.
        """
        await self._tell_instead(id, MessageKind.LEFT, message, who=who)

    async def requester_unreachable(self, id: str, expiry: str | None, *, who: str) -> None:
        """Tell the approvers that a secret expires, whose requester's account is deactivated or
        gone, unless they are told anyway. If `who`, a user id, has handed it over since, there is
        nothing to tell.
        """
        await self._tell_instead(id, MessageKind.EXPIRY, expiry, who=who)

    async def _tell_instead(
        self, id: str, kind: MessageKind, subject: str | None, *, who: str
    ) -> None:
        """A crash before the message is given up brings the caller here again."""
        async with self._writing() as tx:
            await registrations.bump_version(tx, id)
            if await registrations.requester_of(tx, id) != who:
                return
            if not await messages.exists(tx, id, kind, subject):
                await history.write(tx, id, Event.REQUESTER_LEFT, now=self._clock.now())
                await messages.add(tx, id, kind, self._approval_channel, subject=subject)

    def _takes_several(self, registration: Registration) -> bool:
        """Whether it takes more than one approver. If its profile is gone, nobody can tell."""
        is_gone = registration.form.profile not in self._catalogue
        return is_gone or self.quorum(registration).needed > 1

    async def _withdraw_rotation(self, tx: AsyncConnection, registration: Registration) -> None:
        """Who may confirm it depends on whose it is: the new requester asks again."""
        if (asked := registration.asked_rotation) is not None:
            await rotations.end(tx, registration.id, asked, RotationState.WITHDRAWN)
            await history.write(
                tx, registration.id, Event.ROTATION_WITHDRAWN, now=self._clock.now()
            )

    def _check_new_requester(self, registration: Registration, new_requester: Person) -> None:
        if new_requester.key == registration.requester.key:
            raise Refusal(f"{registration.id} is <@{new_requester.user_id}>'s already.")
        try:
            self._policy.check_may_ask(new_requester)
        except Refusal:
            raise Refusal(
                f"<@{new_requester.user_id}> can't request applications, so can't take"
                f" {registration.id} over. Choose somebody who may."
            ) from None
        self._check_votes(registration, new_requester)

    def _check_votes(self, registration: Registration, new_requester: Person) -> None:
        """Whoever has decided on it must not own it: the requester never counts."""
        if registration.has_voted(new_requester):
            raise Refusal(
                f"<@{new_requester.user_id}> has voted on {registration.id}, so cannot take it "
                f"over."
            )
