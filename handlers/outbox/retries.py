"""Retries: when a message that was not shown is tried again, and when it is given up.

Every message ends. What the bot itself cannot do is given up after half an hour, what Slack does
not take after a day. The end is logged as an error and shown in approvers' App Homes; the next
change of the registration begins anew.
"""

from datetime import timedelta

import structlog

from bot.registrar import Registrar
from bot.storage import messages
from bot.storage.database import Database
from bot.storage.messages import Message, MessageKind
from graph.clock import Clock
from graph.retry import exponential
from handlers.slack.api_errors import ErrorScope, advice_on

log = structlog.get_logger()

LONGEST_WAIT = timedelta(minutes=5)
"""Between two tries of one message; each wait is twice the last."""
OUR_TRIES = 12
"""With the waits between them they take half an hour, which is how long a response_url works."""
SLACK_TRIES = 300
"""With the waits between them they take a day: Slack's outages are shorter."""


class Retries:
    """Puts messages off, and gives them up."""

    def __init__(self, *, database: Database, registrar: Registrar, clock: Clock) -> None:
        self._database = database
        self._registrar = registrar
        self._clock = clock

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
            await self._give_up(message, why)
            return
        until = self._clock.now() + max(at_least, backoff(message.tries))
        async with self._database.transaction() as tx:
            await messages.release(tx, message, until=until, trouble=trouble)

    async def _give_up(self, message: Message, why: str) -> None:
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
            await self._registrar.secrets.unmasked(message.registration, message.subject.secret)
            async with self._database.transaction() as tx:
                await messages.give_up(tx, message)
            return
        async with self._database.transaction() as tx:
            await messages.end(tx, message, trouble=why)


def backoff(tries: int) -> timedelta:
    return timedelta(seconds=exponential(tries + 1, LONGEST_WAIT.total_seconds()))
