"""Handing over: tell the approvers of a requester whose account is deactivated or gone."""

from bot.domain.events import Event
from bot.registrar.base import RegistrarBase
from bot.storage import history, messages, registrations
from bot.storage.messages import MessageKind


class HandoverActions(RegistrarBase):
    """What approvers are told instead of a requester."""

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
