"""Store the outcome of each try of a message, and find duplicates where it is unknown.

Slack has no idempotency keys: after a crash or a lost answer it is unknown whether a message was
posted. In direct messages the bot may read its own posts, and finds one by its metadata. In
channels it may not: there buttons name their message, and a click in a copy decides nothing.

Every message ends. One that the bot itself cannot show is given up after half an hour, one that
Slack does not take after a day. The end is logged as an error and shown in approvers' App Homes;
the next change of the registration begins again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.approval_requests import RequestKind
from bot.domain.people import Refusal
from bot.domain.registration import Registration, Status
from bot.registrar import Registrar
from bot.services import Services
from bot.storage import messages, registrations
from bot.storage.messages import Message, MessageKind
from graph.retry import exponential
from handlers.slack.api_errors import ErrorScope, advice_on, code_of
from handlers.views.ui import Blocks, Json

log = structlog.get_logger()


EVENT_TYPE = "aad_setup_message"
LOOKED_AT = 100
"""How many of the latest direct messages are read: it was posted a few minutes ago at most."""
ID = re.compile(r"([0-9a-f]{32}):[0-9]+")
PLACE = re.compile(r"[A-Z0-9]{1,32}"), re.compile(r"[0-9.]{1,32}")

LONGEST_WAIT = timedelta(minutes=5)
"""Between two tries of one message; each wait is twice the last."""
OUR_TRIES = 12
"""With the waits between them they take half an hour, which is how long a response_url works."""
SLACK_TRIES = 300
"""With the waits between them they take a day: Slack's outages are shorter."""


@dataclass(frozen=True)
class Outcomes:
    """Stores the outcomes of tries."""

    services: Services
    registrar: Registrar

    async def shown(self, message: Message, channel: str, ts: str, status: Status) -> None:
        write = self.services.database.write
        if await write(messages.posted, message, channel=channel, ts=ts, shows=status):
            self.services.wakeups.dispatcher.set()

    async def unclaim(self, message: Message, trouble: str | None = None) -> None:
        """Let it keep its place until it can be shown. App Homes show the trouble."""
        await self.services.database.write(messages.unclaim, message, trouble=trouble)
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
        await self.services.database.write(messages.release, message, until=until, trouble=trouble)

    async def give_up(self, message: Message) -> None:
        await self.services.database.write(messages.give_up, message)

    async def gone(self, message: Message, *, is_deleted: bool) -> None:
        """Never show it again. A message that approvers need is posted again if it was deleted."""
        async with self.services.database.transaction() as tx:
            await messages.give_up(tx, message, gone=True)
            found = await registrations.get(tx, message.registration)
            if is_deleted and found is not None and _is_waited_for(message, found):
                id, kind, subject = message.registration, message.kind, message.subject
                await messages.add(tx, id, kind, subject=subject)
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
        await self.services.database.write(messages.end, message, trouble=why)


def _is_waited_for(message: Message, registration: Registration) -> bool:
    """Whether approvers decide by this message on what waits."""
    if message.kind is MessageKind.CARD:
        return registration.waiting(RequestKind.PLAN) is not None
    is_waiting = registration.request(message.subject.request) in registration.waiting_requests
    return message.kind is MessageKind.REQUEST and is_waiting


class Duplicate(Refusal):
    """A user clicked in a copy of a message. Its text replaces the copy."""


def metadata_of(message: Message) -> Json:
    """Return the metadata that identifies a post. Other apps may read it: it holds an id only."""
    return {"event_type": EVENT_TYPE, "event_payload": {"message": message.id}}


def named(blocks: Blocks, message: Message) -> Blocks:
    """Return the blocks with the message's id on each that holds buttons."""
    return [
        block | ({"block_id": f"{message.id}:{n}"} if block["type"] == "actions" else {})
        for n, block in enumerate(blocks)
    ]


async def posted_before(
    client: AsyncWebClient, message: Message, *, bot_id: str
) -> tuple[str, str] | None:
    """Return channel and ts of a post whose answer was lost, if it can be found. Delete others."""
    if message.audience[:1] not in ("U", "W") or message.tries <= 1:
        return None
    try:
        opened = await client.conversations_open(users=message.audience)
        channel = str(opened["channel"]["id"])
        answer = await client.conversations_history(
            channel=channel, limit=LOOKED_AT, include_all_metadata=True
        )
        found = [str(it["ts"]) for it in answer["messages"] if is_copy(it, message, bot_id=bot_id)]
        for ts in found[1:]:
            await client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        log.warning("direct messages not read", message=message.id, code=code_of(error))
        return None
    return (channel, found[0]) if found else None


async def check_counts(body: Mapping[str, Any], registrar: Registrar) -> None:
    """Raise Duplicate for a click in a message that is not the one in storage."""
    container = body.get("container")
    if not isinstance(container, Mapping) or container.get("type") != "message":
        return
    if container.get("is_ephemeral") is True:
        return
    actions = body.get("actions") or [{}]
    message = ID.fullmatch(str(actions[0].get("block_id")))
    channel, ts = str(container.get("channel_id")), str(container.get("message_ts"))
    if message is None or not (PLACE[0].fullmatch(channel) and PLACE[1].fullmatch(ts)):
        return
    if not await registrar.deliveries.is_at(message[1], channel=channel, ts=ts):
        raise Duplicate(
            "This message was posted twice, and this copy does not count: nothing was done."
            " Use the other one, which is here in this conversation."
        )


def is_copy(post: Mapping[str, Any], message: Message, *, bot_id: str) -> bool:
    """Whether the bot has posted this message there. Other apps may post the same metadata."""
    metadata = post.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    is_same = metadata.get("event_type") == EVENT_TYPE and payload.get("message") == message.id
    return is_same and post.get("bot_id") == bot_id
