"""Tell the approvers of a requester whose account is deactivated or gone."""

from dataclasses import dataclass

from bot.domain.events import Event
from bot.domain.subjects import Subject
from bot.services import Services
from bot.storage import history, messages, registrations
from bot.storage.messages import MessageKind


@dataclass(frozen=True)
class Handover:
    """Notices to the approvers, in place of those to the requester."""

    services: Services

    async def requester_left(self, id: str, *, who: str, message: str) -> None:
        """Record that the requester's account is deactivated or gone, and tell the approvers, once
        for each message that was not sent.

        Do nothing if `who`, a user id, has handed it over since.
        """
        await self._tell_approvers(id, MessageKind.LEFT, Subject(message=message), who=who)

    async def requester_unreachable(self, id: str, expiry: Subject, *, who: str) -> None:
        """Tell the approvers that a secret expires whose requester's account is deactivated or
        gone, unless they are told anyway. Do nothing if `who`, a user id, has handed it over since.
        """
        await self._tell_approvers(id, MessageKind.EXPIRY, expiry, who=who)

    async def _tell_approvers(
        self, id: str, kind: MessageKind, subject: Subject, *, who: str
    ) -> None:
        """After a crash before the message is given up, the caller comes here again."""
        async with self.services.writing() as tx:
            await registrations.bump_version(tx, id)
            if await registrations.requester_of(tx, id) != who:
                return
            if not await messages.exists(tx, id, kind, subject):
                now, channel = self.services.clock.now(), self.services.settings.approval_channel
                await history.write(tx, id, Event.REQUESTER_LEFT, now=now)
                await messages.add(tx, id, kind, channel, subject=subject)
