"""Messages: posts what is owed, redraws what is stale.

The run never waits for Slack. Whatever goes wrong here heals at a later look, because what is owed
is a row: a lost update is still stale, a final state is drawn whenever Slack lets us.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.bell import Bell, Loop, survive
from bot.catalogue import Catalogue
from bot.registrar import Registrar
from bot.registration import Registration, RunKind
from bot.storage import messages, registrations, secrets
from bot.storage.database import Database
from bot.storage.messages import Message, MessageKind
from bot.values import values_of
from bot.vault import Vault
from graph.clock import Clock
from handlers.answers import Answers
from handlers.people import People
from handlers.views import approvers, card, drift, handover
from handlers.views.steps import Drawing
from handlers.views.words import Blocks

log = structlog.get_logger()

AT_ONCE = 20
CALM_SECONDS = 0.03
"""How long to wait after a commit: the run it owes goes first, and more may be stale by then."""
SPACING = timedelta(seconds=3)
"""How far apart updates of one card are while its run is at work: Slack's own advice."""
LONGEST_WAIT = timedelta(minutes=5)
MASK_TRIES = 12
"""With the waits between them they take half an hour, which is how long a response_url works."""
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Nothing can be drawn there any more."""


class Messages:
    """Shows what storage says."""

    def __init__(
        self,
        *,
        database: Database,
        registrar: Registrar,
        catalogue: Catalogue,
        vault: Vault,
        client: AsyncWebClient,
        answers: Answers,
        people: People,
        clock: Clock,
        bell: Bell,
        every: float,
        plain: bool,
    ) -> None:
        self._database = database
        self._registrar = registrar
        self._catalogue = catalogue
        self._vault = vault
        self._client = client
        self._answers = answers
        self._people = people
        self._clock = clock
        self._plain = plain
        self.loop = Loop("messages", self.look, bell=bell, every=every, calm=CALM_SECONDS)

    async def look(self) -> None:
        """Show everything that is stale and may be shown now."""
        async with self._database.reading() as tx:
            now = self._clock.now()
            stale = await messages.stale(tx, now, drawn_before=now - SPACING, limit=AT_ONCE)
        # What is there is redrawn before anything new points to it.
        await self._show_all([message for message in stale if message.ts is not None])
        await self._show_all([message for message in stale if message.ts is None])
        if len(stale) == AT_ONCE:
            self.loop.bell.ring()

    async def _show_all(self, stale: Sequence[Message]) -> None:
        """Claim these and show them together."""
        if not stale:
            return
        async with self._database.transaction() as tx:
            claimed = await messages.claim(tx, stale, self._clock.now())
        # A bug in one is logged, and the others are still waited for.
        await asyncio.gather(
            *(survive(f"message {each.id}", partial(self._show, each)) for each in claimed)
        )

    async def _show(self, message: Message) -> None:
        # Read after the claim: what is drawn is never older than the version claimed.
        async with self._database.reading() as tx:
            registration = await registrations.get(tx, message.registration)
        assert registration is not None
        try:
            await self._deliver(message, registration)
        except SlackApiError as error:
            await self._refused(message, error)
        except (TimeoutError, aiohttp.ClientError) as error:
            # The claim lapses by itself. A post whose answer was lost may then be made twice.
            log.warning("message lost", message=message.id, type=type(error).__name__)

    async def _deliver(self, message: Message, registration: Registration) -> None:
        if message.kind is MessageKind.MASK:
            await self._mask(message, registration)
            return
        if await self._is_for_nobody(message):
            await self._registrar.requester_left(registration.id)
            await self._give_up(message)
            return
        text, blocks = self._draw(message, registration, await self._drawing(registration))
        if message.ts is None:
            answer = await self._client.chat_postMessage(
                channel=message.audience,
                text=text,
                blocks=blocks,
                unfurl_links=False,
                unfurl_media=False,
            )
        else:
            answer = await self._client.chat_update(
                channel=message.channel or "", ts=message.ts, text=text, blocks=blocks
            )
        async with self._database.transaction() as tx:
            more = await messages.posted(tx, message, channel=answer["channel"], ts=answer["ts"])
        if more:
            self.loop.bell.ring()

    async def _is_for_nobody(self, message: Message) -> bool:
        """Whether values are about to be announced to an account that is deactivated."""
        is_first = message.kind is MessageKind.VALUES and message.ts is None
        return is_first and await self._people.has_left(message.audience)

    async def _drawing(self, registration: Registration) -> Drawing:
        at_work = registration.run is RunKind.REGISTER
        expected = await self._registrar.expected() if at_work else None
        return Drawing(expected=expected, plain=self._plain)

    def _draw(
        self, message: Message, registration: Registration, drawing: Drawing
    ) -> tuple[str, Blocks]:
        profile = self._catalogue[registration.form.profile]
        quorum = self._registrar.quorum(registration)
        match message.kind:
            case MessageKind.CARD:
                blocks = card.card(registration, profile, quorum=quorum, drawing=drawing)
                return card.spoken(registration, profile), blocks
            case MessageKind.PROGRESS if message.audience != registration.requester.user_id:
                return card.spoken(registration, profile), card.passed_on(registration)
            case MessageKind.VALUES if message.audience != registration.requester.user_id:
                return card.spoken(registration, profile), card.passed_on(registration)
            case MessageKind.REMINDER:
                policy = self._registrar.policy
                blocks = approvers.reminder(registration, policy, quorum)
                return approvers.reminder_text(registration), blocks
            case MessageKind.HANDOVER:
                return approvers.handover_text(registration), approvers.handover(registration)
            case MessageKind.LEFT:
                return approvers.left_text(registration), approvers.left(registration)
            case MessageKind.PROGRESS:
                blocks = card.progress(registration, profile, quorum=quorum, drawing=drawing)
                return card.spoken(registration, profile), blocks
            case MessageKind.NEWS:
                return card.spoken(registration, profile), card.news(registration)
            case MessageKind.DRIFT:
                return drift.report_text(registration), drift.report(registration)
            case _:
                blocks = handover.notice(registration, secret=message.subject)
                return handover.notice_spoken(registration, secret=message.subject), blocks

    async def _mask(self, message: Message, registration: Registration) -> None:
        """Lay the mask over the secret, by the address that the reveal was answered at."""
        secret = message.subject or ""
        async with self._database.reading() as tx:
            sealed = await secrets.answer_to(tx, secret)
        if sealed is None:  # hidden by hand in the meantime
            await self._give_up(message)
            return
        found = values_of(registration, self._catalogue[registration.form.profile])
        done = await self._answers.replace(
            self._vault.open(secret, sealed),
            text=handover.values_text(found),
            blocks=handover.masked(found),
        )
        if done:
            await self._registrar.masked(registration.id, secret)
        elif message.tries >= MASK_TRIES:
            await self._registrar.unmasked(registration.id, secret)
        else:
            async with self._database.transaction() as tx:
                later = self._clock.now() + _backoff(message.tries)
                await messages.release(tx, message, until=later)
            return
        await self._give_up(message)

    async def _give_up(self, message: Message) -> None:
        async with self._database.transaction() as tx:
            await messages.give_up(tx, message)

    async def _refused(self, message: Message, error: SlackApiError) -> None:
        """Come back when Slack allows it, or let go of a message that is no more."""
        code = str(error.response.get("error"))
        if code in GONE:
            log.warning("message gone", message=message.id, code=code)
            await self._give_up(message)
            return
        wait = _retry_after(error) or _backoff(message.tries)
        log.warning("message refused", message=message.id, code=code, again_in=wait.seconds)
        async with self._database.transaction() as tx:
            await messages.release(tx, message, until=self._clock.now() + wait)


def _backoff(tries: int) -> timedelta:
    return min(timedelta(seconds=2.0 ** min(tries, 10)), LONGEST_WAIT)


def _retry_after(error: SlackApiError) -> timedelta | None:
    if error.response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    return timedelta(seconds=float(error.response.headers.get("Retry-After", 1)))
