"""Show one message, and do what Slack's answer means for it and for the others.

A message is drawn as storage is when that begins, and posted, or its post is redrawn; a secret
is masked. The result of a restore is the one message without a registration.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from cachetools import LRUCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.catalogue import drawable
from bot.domain.forms import values_of
from bot.domain.people import Refusal
from bot.domain.registration import Registration
from bot.registrar import Registrar
from bot.restore.reconciliation import Report
from bot.services import Services
from bot.storage import registrations, secrets
from bot.storage.message_queue import CLAIM
from bot.storage.messages import Message, MessageKind
from bot.storage.secrets import Purpose
from bot.storage.vault import SealBroken
from handlers.outbox.outcomes import OUR_TRIES, Outcomes, metadata_of, named, posted_before
from handlers.outbox.rendering import Renderer
from handlers.slack.api_errors import (
    ADVICE,
    DELETED,
    NO_ANSWER,
    SHARED,
    ErrorScope,
    advice_on,
    code_of,
    meaning_of,
    retry_after,
)
from handlers.slack.destinations import RECENTLY, ApprovalChannel, ChannelShared
from handlers.slack.rate_limits import Call
from handlers.slack.services import Slack
from handlers.views.notices import HEADLINE, restore_summary
from handlers.views.ui import Blocks
from handlers.views.values import masked_sheet

log = structlog.get_logger()

REMEMBERED = 5000
"""How many messages are remembered; the least recently used ones make room."""
NEED_THEIR_READER = (MessageKind.VALUES, MessageKind.EXPIRY_NEWS)
"""Messages that the requester has to act on. If the account is gone, the approvers are told."""
REFUSED_BLOCKS = ("invalid_blocks", "invalid_blocks_format")
"""Blocks that a workspace does not know: docs.slack.dev/reference/methods/chat.update"""


class Sender:
    """Shows messages; many may be under way."""

    def __init__(self, services: Services, slack: Slack, registrar: Registrar) -> None:
        self._services = services
        self._slack = slack
        self._registrar = registrar
        self._outcomes = Outcomes(services, registrar)
        self._renderer = Renderer(registrar=registrar, users=slack.users)
        self._plain: LRUCache[str, None] = LRUCache(REMEMBERED)
        """Messages whose plan blocks Slack has refused."""
        self._drawn: LRUCache[str, tuple[int, str]] = LRUCache(REMEMBERED)
        """By message: the version that was drawn last, and a digest of what that showed."""

    async def show(self, message: Message, calls: Sequence[Call]) -> None:
        """Show a message that was claimed, by calls that were counted as made."""
        # Read after the claim: the drawing is never older than the version claimed.
        registration = await self._services.database.read(registrations.get, message.registration)
        assert registration is not None
        registration = replace(registration, looked_at=self._services.clock.now())
        try:
            await self._deliver(message, registration, calls)
        except ChannelShared:
            self._log_refusal(
                "messages cannot be shown", SHARED, ErrorScope.CLOSED, calls[-1].place
            )
            await self._outcomes.unclaim(message, SHARED)
        except SlackApiError as error:
            await self._refused(message, calls, error)
        except NO_ANSWER as error:
            await self._lost(message, error)
        except Refusal:  # Slack does not say who would read it
            await self._outcomes.later(message, why="reader_unknown")

    async def failed(self, message: Message, bug: str) -> None:
        """Put off a message that could not be shown because of a bug of this id."""
        await self._outcomes.later(message, why=f"bug_{bug}", most=OUR_TRIES)

    async def _deliver(
        self, message: Message, registration: Registration, calls: Sequence[Call]
    ) -> None:
        if message.kind is MessageKind.MASK:
            await self._mask(message, registration)
            return
        if _needs_its_reader(message) and await self._slack.users.has_left(message.audience):
            await self._tell_approvers(message)
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
        await self._outcomes.shown(message, channel, ts, registration.status)
        self._drawn[message.id] = message.wanted, drawing

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

        Only if this process drew it last, and no other has tried since: the effect of a call whose
        answer was lost is unknown.
        """
        is_first_try = message.ts is not None and message.tries == 1
        return is_first_try and self._drawn.get(message.id) == (message.shown, drawing)

    async def _tell_approvers(self, message: Message) -> None:
        """Tell the approvers instead of a requester whose account is deactivated or gone."""
        expiry = message.subject if message.kind is MessageKind.EXPIRY_NEWS else None
        if expiry is not None or _needs_its_reader(message):
            id, who = message.registration, message.audience
            deliveries = self._registrar.deliveries
            await deliveries.requester_left(id, who=who, message=message.id, expiry=expiry)
        await self._outcomes.give_up(message)

    async def _mask(self, message: Message, registration: Registration) -> None:
        """Mask the secret by the address that the reveal was answered at."""
        secret = message.subject.secret
        owner, sealed = await self._services.database.read(secrets.sealed, secret, Purpose.ANSWER)
        if sealed is None:  # masked by hand in the meantime
            await self._outcomes.give_up(message)
            return
        try:
            address = self._services.vault.open(owner, sealed)
        except SealBroken:  # the operator may still put the key back
            await self._outcomes.later(message, why="seal_broken", most=OUR_TRIES)
            return
        profile = drawable(self._registrar.catalogue, registration.form.profile)
        text, blocks = masked_sheet(values_of(registration, profile))
        if not await self._slack.response_urls.replace(address, text=text, blocks=blocks):
            await self._outcomes.later(message, why="mask_not_taken", most=OUR_TRIES)
            return
        await self._registrar.secrets.masked(registration.id, secret)
        await self._outcomes.give_up(message)

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
                await self._outcomes.unclaim(message)
            case ErrorScope.GONE:
                log.warning("message gone", message=message.id, code=code)
                await self._outcomes.gone(message, is_deleted=code == DELETED)
            case ErrorScope.CLOSED if await self._is_for_one_who_left(message):
                log.warning("message without recipient", message=message.id, code=code)
                await self._tell_approvers(message)
            case ErrorScope.CLOSED:
                place = calls[-1].place
                self._log_refusal("messages cannot be shown", code, scope, place)
                await self._outcomes.unclaim(message, code)
            case ErrorScope.SHUT_OUT:
                self._log_refusal("Slack does not take the bot's token", code, scope)
                await self._outcomes.unclaim(message)
            case _ if code in REFUSED_BLOCKS and message.id not in self._plain:
                log.error(
                    "blocks refused, drawn plainly from now on",
                    message=message.id,
                    code=code,
                    advice=advice_on(code, scope),
                )
                self._plain[message.id] = None
                await self._outcomes.unclaim(message)
            case _:
                log.warning("message refused", message=message.id, code=code)
                await self._outcomes.later(message, why=code, trouble=code)

    def _log_refusal(self, what: str, code: str, scope: ErrorScope, place: str = "") -> None:
        """Tell the operator, once for each pause."""
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
        """Whether it is for the direct messages of an account that is deactivated or gone."""
        who = message.audience
        return who[:1] in ("U", "W") and await self._slack.users.has_left(who)

    async def _lost(self, message: Message, error: Exception) -> None:
        """Try again later, not at once and not often: each try may post it once more."""
        log.warning("message lost", message=message.id, type=type(error).__name__)
        at_least = CLAIM if message.ts is None else timedelta(0)
        await self._outcomes.later(message, why="no_answer", at_least=at_least)


def _needs_its_reader(message: Message) -> bool:
    """Whether it is about to be posted to a requester who has to act on it."""
    return message.kind in NEED_THEIR_READER and message.ts is None


def _digest(text: str, blocks: Blocks) -> str:
    return hashlib.sha256(json.dumps([text, blocks], sort_keys=True).encode()).hexdigest()


async def tell(client: AsyncWebClient, channel: ApprovalChannel, report: Report) -> bool:
    """Post it in the approval channel. False if Slack may take it later."""
    try:
        await channel.check()
        await client.chat_postMessage(
            channel=channel.id,
            text=f"{HEADLINE}.",
            blocks=restore_summary(report),
            unfurl_links=False,
            unfurl_media=False,
        )
    except ChannelShared:
        log.error("approvers could not be told of the restore", code=SHARED, advice=ADVICE[SHARED])
    except NO_ANSWER as error:
        log.warning("approvers are told later", type=type(error).__name__)
        return False
    except SlackApiError as error:
        if meaning_of(error) is ErrorScope.TOO_OFTEN:
            return False
        # The log has said everything; a channel that is closed must not keep the bot from working.
        log.error("approvers could not be told of the restore", code=code_of(error))
    return True
