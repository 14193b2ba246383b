"""Delivery: shows one message, and does what Slack's answer means for it and for the others.

It draws what storage says when it begins, and posts it or draws the post anew; a mask it lays over
the secret. Whatever Slack answers ends as a row: shown, to be tried later, or owed no longer.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.catalogue import drawable
from bot.domain.connector_values import values_of
from bot.domain.people import Refusal
from bot.domain.registration import Registration
from bot.registrar import Registrar
from bot.services import Services
from bot.storage import messages, registrations, secrets
from bot.storage.messages import CLAIM, Message, MessageKind
from bot.storage.secrets import Purpose
from bot.storage.vault import SealBroken
from handlers.outbox.duplicates import metadata_of, named, posted_before
from handlers.outbox.recipients import is_waited_for, needs_its_reader
from handlers.outbox.rendering import Renderer
from handlers.outbox.retries import OUR_TRIES, Retries
from handlers.slack.api_errors import (
    DELETED,
    SHARED,
    ErrorScope,
    advice_on,
    code_of,
    meaning_of,
    retry_after,
)
from handlers.slack.approval_channel import RECENTLY, ChannelShared
from handlers.slack.rate_limits import Call
from handlers.slack.services import Slack
from handlers.views.blocks import Blocks
from handlers.views.values import masked_sheet

log = structlog.get_logger()

REMEMBERED = 5000
"""Of how many messages it is remembered what they show."""
REFUSED_BLOCKS = ("invalid_blocks", "invalid_blocks_format")
"""Said of blocks that a workspace does not know: docs.slack.dev/reference/methods/chat.update"""


class Sender:
    """Brings one message to Slack at a time; many may be under way."""

    def __init__(self, services: Services, slack: Slack, registrar: Registrar) -> None:
        self._services = services
        self._slack = slack
        self._registrar = registrar
        self._database = services.database
        self._clock = services.clock
        plain = services.settings.plain_cards
        self._retries = Retries(
            database=services.database, registrar=registrar, clock=services.clock
        )
        self._renderer = Renderer(registrar=registrar, users=slack.users, plain=plain)
        self._plain: set[str] = set()
        """Messages whose plan blocks Slack has refused."""
        self._drawn: dict[str, tuple[int, str]] = {}
        """By message: the version that was drawn last, and a digest of what that showed."""

    async def show(self, message: Message, calls: Sequence[Call]) -> None:
        """Show a message that was claimed, by calls that were counted as made."""
        # Read after the claim: what is drawn is never older than the version claimed.
        async with self._database.reading() as tx:
            registration = await registrations.get(tx, message.registration)
        assert registration is not None
        registration = replace(registration, looked_at=self._clock.now())
        try:
            await self._deliver(message, registration, calls)
        except ChannelShared:
            self._log_refusal(
                "messages cannot be shown", SHARED, ErrorScope.CLOSED, calls[-1].place
            )
            await self._unclaim(message, SHARED)
        except SlackApiError as error:
            await self._refused(message, calls, error)
        except (TimeoutError, aiohttp.ClientError) as error:
            await self._lost(message, error)
        except Refusal:  # Slack does not say who would read it
            await self._retries.later(message, why="reader_unknown")

    async def failed(self, message: Message, bug: str) -> None:
        """Put off a message that could not be shown because of a bug of this id."""
        await self._retries.later(message, why=f"bug_{bug}", most=OUR_TRIES)

    async def _deliver(
        self, message: Message, registration: Registration, calls: Sequence[Call]
    ) -> None:
        if message.kind is MessageKind.MASK:
            await self._mask(message, registration)
            return
        if await self._has_no_recipient(message):
            await self._say_so(message)
            await self._give_up(message)
            return
        is_plain = message.id in self._plain
        text, blocks = await self._renderer.draw(message, registration, is_plain=is_plain)
        blocks, drawing = named(blocks, message), _digest(text, blocks)
        if self._is_there(message, drawing):
            for call in calls:
                self._slack.rate_limits.give_back(call)
            channel, ts = str(message.channel), str(message.ts)
        else:
            answer = await self._send(message, text, blocks)
            for call in calls:
                self._slack.rate_limits.went_through(call)
            channel, ts = answer["channel"], answer["ts"]
        async with self._database.transaction() as tx:
            more = await messages.posted(
                tx, message, channel=channel, ts=ts, shows=registration.status
            )
        if len(self._drawn) >= REMEMBERED:
            self._drawn.clear()
        self._drawn[message.id] = message.wanted, drawing
        if more:
            self._services.wakeups.dispatcher.wake()

    async def _send(self, message: Message, text: str, blocks: Blocks) -> AsyncSlackResponse:
        """Post it, or change the post, which may be one whose answer was lost.

        Raises ChannelShared if people of another organization would read it.
        """
        if message.audience == self._slack.channel.id:
            await self._slack.channel.check(
                within=RECENTLY if message.ts is not None else timedelta(0)
            )
        place = (message.channel or "", message.ts) if message.ts is not None else None
        place = place or await posted_before(
            self._slack.client, message, bot_id=self._slack.installed.bot_id
        )
        if place is not None:
            channel, ts = place
            return await self._slack.client.chat_update(
                channel=channel, ts=ts, text=text, blocks=blocks
            )
        return await self._slack.client.chat_postMessage(
            channel=message.audience,
            text=text,
            blocks=blocks,
            metadata=metadata_of(message),
            unfurl_links=False,
            unfurl_media=False,
        )

    def _is_there(self, message: Message, drawing: str) -> bool:
        """Whether Slack shows exactly this already: a version may have changed nothing on it.

        Only if this process drew it last, and nobody has tried since: what became of a call whose
        answer was lost is not known.
        """
        is_first_try = message.ts is not None and message.tries == 1
        return is_first_try and self._drawn.get(message.id) == (message.shown, drawing)

    async def _has_no_recipient(self, message: Message) -> bool:
        """Whether it is for the requester, whose account is deactivated or gone."""
        return needs_its_reader(message) and await self._slack.users.has_left(message.audience)

    async def _say_so(self, message: Message) -> None:
        """Tell the approvers what the requester cannot be told."""
        id, who = message.registration, message.audience
        if message.kind is MessageKind.EXPIRY_NEWS:
            await self._registrar.handover.requester_unreachable(id, message.subject, who=who)
        else:
            await self._registrar.handover.requester_left(id, who=who, message=message.id)

    async def _mask(self, message: Message, registration: Registration) -> None:
        """Lay the mask over the secret, by the address that the reveal was answered at."""
        secret = message.subject.secret
        async with self._database.reading() as tx:
            owner, sealed = await secrets.sealed(tx, secret, Purpose.ANSWER)
        if sealed is None:  # masked by hand in the meantime
            await self._give_up(message)
            return
        try:
            address = self._services.vault.open(owner, sealed)
        except SealBroken:  # the operator may still put the key back
            await self._retries.later(message, why="seal_broken", most=OUR_TRIES)
            return
        profile = drawable(self._registrar.catalogue, registration.form.profile)
        text, blocks = masked_sheet(values_of(registration, profile))
        if not await self._slack.response_urls.replace(address, text=text, blocks=blocks):
            await self._retries.later(message, why="mask_not_taken", most=OUR_TRIES)
            return
        await self._registrar.secrets.masked(registration.id, secret)
        await self._give_up(message)

    async def _give_up(self, message: Message) -> None:
        async with self._database.transaction() as tx:
            await messages.give_up(tx, message)

    async def _refused(self, message: Message, calls: Sequence[Call], error: SlackApiError) -> None:
        """Do what the error means for this message, and for the others."""
        code, scope = code_of(error), meaning_of(error)
        match scope:
            case ErrorScope.TOO_OFTEN:
                wait = retry_after(error)
                log.warning(
                    "Slack is called too often", method=calls[-1].method, again_in=wait.seconds
                )
                self._slack.rate_limits.throttled(calls[-1], wait)
                await self._unclaim(message)
            case ErrorScope.GONE:
                log.warning("message gone", message=message.id, code=code)
                await self._forget(message, is_deleted=code == DELETED)
            case ErrorScope.CLOSED if await self._is_for_one_who_left(message):
                log.warning("message without recipient", message=message.id, code=code)
                if needs_its_reader(message):
                    await self._say_so(message)
                await self._give_up(message)
            case ErrorScope.CLOSED:
                place = calls[-1].place
                self._log_refusal("messages cannot be shown", code, scope, place)
                await self._unclaim(message, code)
            case ErrorScope.SHUT_OUT:
                self._log_refusal("Slack does not take the bot's token", code, scope)
                await self._unclaim(message)
            case _ if code in REFUSED_BLOCKS and message.id not in self._plain:
                log.error(
                    "blocks refused, drawn plainly from now on",
                    message=message.id,
                    code=code,
                    advice=advice_on(code, scope),
                )
                if len(self._plain) >= REMEMBERED:
                    self._plain.clear()
                self._plain.add(message.id)
                await self._unclaim(message)
            case _:
                log.warning("message refused", message=message.id, code=code)
                await self._retries.later(message, why=code, trouble=code)

    def _log_refusal(self, what: str, code: str, scope: ErrorScope, place: str = "") -> None:
        """Tell whoever runs the bot, once each time that it is tried."""
        wait = self._slack.rate_limits.closed(place)
        if wait is not None:
            log.error(
                what,
                channel=place or None,
                code=code,
                advice=advice_on(code, scope),
                again_in=wait.seconds,
            )

    async def _is_for_one_who_left(self, message: Message) -> bool:
        """Whether it is for the direct messages of somebody who is deactivated or gone."""
        return message.audience[:1] in ("U", "W") and await self._slack.users.has_left(
            message.audience
        )

    async def _lost(self, message: Message, error: Exception) -> None:
        """Come back later. A post whose answer was lost may then be made twice.

        It is not tried again at once, nor often: each try may add one.
        """
        log.warning("message lost", message=message.id, type=type(error).__name__)
        at_least = CLAIM if message.ts is None else timedelta(0)
        await self._retries.later(message, why="no_answer", at_least=at_least)

    async def _forget(self, message: Message, *, is_deleted: bool) -> None:
        """Owe it never again. What approvers need is posted anew, if somebody deleted it."""
        async with self._database.transaction() as tx:
            await messages.give_up(tx, message, gone=True)
            found = await registrations.get(tx, message.registration)
            if is_deleted and found is not None and is_waited_for(message, found):
                await messages.add(
                    tx,
                    message.registration,
                    message.kind,
                    message.audience,
                    subject=message.subject,
                )
        self._services.wakeups.dispatcher.wake()

    async def _unclaim(self, message: Message, trouble: str | None = None) -> None:
        """Let it go first again as soon as it can go at all. App Homes tell of the trouble."""
        async with self._database.transaction() as tx:
            await messages.unclaim(tx, message, trouble=trouble)
        self._services.wakeups.dispatcher.wake()


def _digest(text: str, blocks: Blocks) -> str:
    return hashlib.sha256(json.dumps([text, blocks], sort_keys=True).encode()).hexdigest()
