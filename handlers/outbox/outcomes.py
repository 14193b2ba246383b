"""Store what became of a message that was tried: shown, tried again later, or given up.

Every message ends. What the bot itself cannot do is given up after half an hour, what Slack does
not take after a day. The end is logged as an error and shown in approvers' App Homes; the next
change of the registration begins again.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Registration, Status
from bot.registrar import Registrar
from bot.services import Services
from bot.storage import messages, registrations
from bot.storage.messages import Message, MessageKind
from graph.retry import exponential
from handlers.slack.api_errors import ErrorScope, advice_on

log = structlog.get_logger()

LONGEST_WAIT = timedelta(minutes=5)
"""Between two tries of one message; each wait is twice the last."""
OUR_TRIES = 12
"""With the waits between them they take half an hour, which is how long a response_url works."""
SLACK_TRIES = 300
"""With the waits between them they take a day: Slack's outages are shorter."""


@dataclass(frozen=True)
class Outcomes:
    """Stores them."""

    services: Services
    registrar: Registrar

    async def shown(self, message: Message, channel: str, ts: str, status: Status) -> None:
        async with self.services.database.transaction() as tx:
            is_stale = await messages.posted(tx, message, channel=channel, ts=ts, shows=status)
        if is_stale:
            self.services.wakeups.dispatcher.set()

    async def unclaim(self, message: Message, trouble: str | None = None) -> None:
        """Let it keep its place until it can be shown. App Homes show the trouble."""
        async with self.services.database.transaction() as tx:
            await messages.unclaim(tx, message, trouble=trouble)
        self.services.wakeups.dispatcher.set()

    async def later(
        self,
        message: Message,
        *,
        why: str,
        most: int = SLACK_TRIES,
        at_least: timedelta = timedelta(0),
        trouble: str | None = None,
    ) -> None:
        """Try the message again after a while, or give it up if that was the last of `most` tries.

        `why` is a code without spaces; `trouble` is Slack's, for App Homes to show meanwhile.
        """
        if message.tries >= most:
            await self._end(message, why)
            return
        wait = timedelta(seconds=exponential(message.tries + 1, LONGEST_WAIT.total_seconds()))
        until = self.services.clock.now() + max(at_least, wait)
        async with self.services.database.transaction() as tx:
            await messages.release(tx, message, until=until, trouble=trouble)

    async def give_up(self, message: Message) -> None:
        async with self.services.database.transaction() as tx:
            await messages.give_up(tx, message)

    async def gone(self, message: Message, *, is_deleted: bool) -> None:
        """Never show it again. A message that approvers need is posted again if it was deleted."""
        async with self.services.database.transaction() as tx:
            await messages.give_up(tx, message, gone=True)
            found = await registrations.get(tx, message.registration)
            if is_deleted and found is not None and _is_waited_for(message, found):
                id, kind, subject = message.registration, message.kind, message.subject
                await messages.add(tx, id, kind, message.audience, subject=subject)
        self.services.wakeups.dispatcher.set()

    async def _end(self, message: Message, why: str) -> None:
        log.error(
            "message given up",
            message=message.id,
            kind=str(message.kind),
            registration=message.registration,
            why=why,
            tries=message.tries,
            advice=advice_on(why, ErrorScope.PASSING),
        )
        if message.kind is MessageKind.MASK:
            await self.registrar.secrets.unmasked(message.registration, message.subject.secret)
            await self.give_up(message)
            return
        async with self.services.database.transaction() as tx:
            await messages.end(tx, message, trouble=why)


def _is_waited_for(message: Message, registration: Registration) -> bool:
    """Whether approvers decide by this message on what waits."""
    if message.kind is MessageKind.CARD:
        return registration.waiting(RequestKind.PLAN) is not None
    is_waiting = registration.request(message.subject.request) in registration.waiting_requests
    return message.kind is MessageKind.REQUEST and is_waiting
