"""Messages: posts what is owed, redraws what is stale.

The run never waits for Slack. Whatever goes wrong here heals at a later look, because what is owed
is a row: a lost update is still stale, a final state is drawn whenever Slack lets us. A look claims
only what may be sent now, and does not wait for it: a slow answer keeps nobody else waiting.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.bell import Bell, Loop, survive
from bot.catalogue import Catalogue, drawable
from bot.registrar import Registrar
from bot.registration import Refusal, Registration, Status
from bot.storage import messages, registrations, secrets
from bot.storage.database import Database
from bot.storage.messages import CLAIM, Message, MessageKind, Stale
from bot.values import values_of
from bot.vault import Vault
from graph.clock import Clock
from handlers.answers import Answers
from handlers.drawings import Drawings
from handlers.pace import LOOK_UP, POST, UPDATE, Call, Pace
from handlers.people import People
from handlers.queue import Queue, Urgency
from handlers.trouble import DELETED, Trouble, advice_on, code_of, meaning_of, retry_after
from handlers.views.values import masked_sheet, sheet_text
from handlers.views.words import Blocks

log = structlog.get_logger()

AT_ONCE = 20
"""How many calls of Slack are under way at most; masks come on top."""
MOST = 1000
"""How many stale messages are put in order at a look."""
CALM_SECONDS = 0.03
"""How long to wait after a commit: the run it owes goes first, and more may be stale by then."""
SPACING = timedelta(seconds=3)
"""How far apart updates of one card are while its run is at work: Slack's own advice."""
LONGEST_WAIT = timedelta(minutes=5)
MASK_TRIES = 12
"""With the waits between them they take half an hour, which is how long a response_url works."""
REMEMBERED = 5000
"""Of how many messages it is remembered what they show."""


LOOKED_UP = (MessageKind.VALUES, MessageKind.DRIFT)
"""Whose readers are looked up before they are told."""
CARDS = (MessageKind.CARD, MessageKind.PROGRESS)
Place = tuple[str, str]
"""A registration, and the channel or person that its card is for."""


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
        self._drawings = Drawings(registrar=registrar, people=people, plain=plain)
        self._pace = Pace(clock)
        self._queue = Queue()
        self._under_way: dict[str, tuple[Message, asyncio.Task[None]]] = {}
        self._held_back = False
        self._alarm: asyncio.Task[None] | None = None
        self._drawn: dict[str, tuple[int, str]] = {}
        self.loop = Loop("messages", self.look, bell=bell, every=every, calm=CALM_SECONDS)

    async def look(self) -> None:
        """Begin to show everything that is stale and may be shown now."""
        async with self._database.reading() as tx:
            now = self._clock.now()
            stale = await messages.stale(tx, now, drawn_before=now - SPACING, limit=MOST)
        chosen = self._chosen(stale, now)
        if not chosen:
            return
        async with self._database.transaction() as tx:
            wanted = [message for message, _ in chosen]
            claimed = await messages.claim(tx, wanted, self._clock.now())
        calls = {message.id: calls for message, calls in chosen}
        for message in claimed:
            task = asyncio.create_task(self._shown(message, calls[message.id]))
            self._under_way[message.id] = message, task

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way to Slack."""
        return not self._under_way

    async def settle(self) -> None:
        """After the loop has stopped, let what is under way end."""
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*(task for _, task in self._under_way.values()))

    def _chosen(
        self, stale: Sequence[Stale], now: datetime
    ) -> Sequence[tuple[Message, Sequence[Call]]]:
        """Return what goes to Slack now, counted as sent. Wake up when more may go."""
        chosen: list[tuple[Message, Sequence[Call]]] = []
        again_at: datetime | None = None
        self._held_back = False
        ready = [it for it in stale if it.message.id not in self._under_way]
        queued = [
            (it.message, _calls(it.message, urgency))
            for urgency, it in self._queue.ordered(ready, now)
        ]
        # A card that Slack does not take now keeps nothing waiting that points to it.
        going = (message for message, calls in queued if self._free_at(calls, now) <= now)
        outdated = _outdated([*going, *self._being_shown()])
        for message, calls in queued:
            free_at = self._free_at(calls, now)
            if free_at > now:
                again_at = min(free_at, again_at or free_at)
            elif self._must_wait(message, outdated, under_way=len(chosen)):
                self._held_back = True
            else:
                for call in calls:
                    self._pace.take(call)
                chosen.append((message, calls))
        self._wake_at(again_at, now)
        return chosen

    def _free_at(self, calls: Sequence[Call], now: datetime) -> datetime:
        """Return when all of these calls may be made, which is now if nothing limits them."""
        return max((self._pace.free_at(call) for call in calls), default=now)

    def _being_shown(self) -> Iterator[Message]:
        yield from (message for message, _ in self._under_way.values())

    def _must_wait(self, message: Message, outdated: AbstractSet[Place], *, under_way: int) -> bool:
        """Whether something else has to come first. Masks wait for nothing."""
        if message.kind is MessageKind.MASK:
            return False
        if len(self._under_way) + under_way >= AT_ONCE:
            return True
        # Whatever points to a card comes when the card says what it points to.
        is_card = message.ts is not None or message.kind in CARDS
        return not is_card and (message.registration, message.audience) in outdated

    def _wake_at(self, at: datetime | None, now: datetime) -> None:
        """Ring the bell at that moment of the clock, and at no other that was said before."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at is not None:
            self._alarm = asyncio.create_task(self._ring_in((at - now).total_seconds()))

    async def _ring_in(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.loop.bell.ring()

    async def _shown(self, message: Message, calls: Sequence[Call]) -> None:
        # A bug in one is logged, and the others go on.
        await survive(f"message {message.id}", partial(self._show, message, calls))
        del self._under_way[message.id]
        if self._held_back:
            self.loop.bell.ring()

    async def _show(self, message: Message, calls: Sequence[Call]) -> None:
        # Read after the claim: what is drawn is never older than the version claimed.
        async with self._database.reading() as tx:
            registration = await registrations.get(tx, message.registration)
        assert registration is not None
        try:
            await self._deliver(message, registration, calls)
        except SlackApiError as error:
            await self._refused(message, calls, error)
        except (TimeoutError, aiohttp.ClientError) as error:
            await self._lost(message, error)
        except Refusal:  # Slack does not say who would read it
            await self._release(message, _backoff(message.tries))

    async def _deliver(
        self, message: Message, registration: Registration, calls: Sequence[Call]
    ) -> None:
        if message.kind is MessageKind.MASK:
            await self._mask(message, registration)
            return
        if await self._is_for_nobody(message):
            await self._registrar.requester_left(registration.id)
            await self._give_up(message)
            return
        text, blocks = await self._drawings.draw(message, registration)
        drawing = _digest(text, blocks)
        if self._is_there(message, drawing):
            for call in calls:
                self._pace.give_back(call)
            await self._posted(message, str(message.channel), str(message.ts), drawing)
            return
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
        for call in calls:
            self._pace.went_through(call)
        await self._posted(message, answer["channel"], answer["ts"], drawing)

    async def _posted(self, message: Message, channel: str, ts: str, drawing: str) -> None:
        async with self._database.transaction() as tx:
            more = await messages.posted(tx, message, channel=channel, ts=ts)
        if len(self._drawn) >= REMEMBERED:
            self._drawn.clear()
        self._drawn[message.id] = message.wanted, drawing
        if more:
            self.loop.bell.ring()

    def _is_there(self, message: Message, drawing: str) -> bool:
        """Whether Slack shows exactly this already: a version may have changed nothing on it.

        Only if this process drew it last, and nobody has tried since: what became of a call whose
        answer was lost is not known.
        """
        is_first_try = message.ts is not None and message.tries == 1
        return is_first_try and self._drawn.get(message.id) == (message.shown, drawing)

    async def _is_for_nobody(self, message: Message) -> bool:
        """Whether values are about to be announced to an account that is deactivated."""
        is_first = message.kind is MessageKind.VALUES and message.ts is None
        return is_first and await self._people.has_left(message.audience)

    async def _mask(self, message: Message, registration: Registration) -> None:
        """Lay the mask over the secret, by the address that the reveal was answered at."""
        secret = message.subject or ""
        async with self._database.reading() as tx:
            sealed = await secrets.answer_to(tx, secret)
        if sealed is None:  # hidden by hand in the meantime
            await self._give_up(message)
            return
        profile = drawable(self._catalogue, registration.form.profile)
        found = values_of(registration, profile)
        done = await self._answers.replace(
            self._vault.open(secret, sealed),
            text=sheet_text(found),
            blocks=masked_sheet(found),
        )
        if done:
            await self._registrar.masked(registration.id, secret)
        elif message.tries >= MASK_TRIES:
            await self._registrar.unmasked(registration.id, secret)
        else:
            await self._release(message, _backoff(message.tries))
            return
        await self._give_up(message)

    async def _give_up(self, message: Message) -> None:
        async with self._database.transaction() as tx:
            await messages.give_up(tx, message)

    async def _refused(self, message: Message, calls: Sequence[Call], error: SlackApiError) -> None:
        """Do what the error means for this message, and for the others."""
        code, trouble = code_of(error), meaning_of(error)
        match trouble:
            case Trouble.TOO_OFTEN:
                wait = retry_after(error)
                log.warning(
                    "Slack is called too often", method=calls[-1].method, again_in=wait.seconds
                )
                self._pace.throttled(calls[-1], wait)
                await self._hand_back(message)
            case Trouble.GONE:
                log.warning("message gone", message=message.id, code=code)
                await self._forget(message, is_deleted=code == DELETED)
            case Trouble.CLOSED if await self._is_for_one_who_left(message):
                log.warning("message for nobody", message=message.id, code=code)
                await self._give_up(message)
            case Trouble.CLOSED:
                place = calls[-1].place
                self._complain("messages cannot be shown", code, trouble, place)
                await self._hand_back(message, code)
            case Trouble.SHUT_OUT:
                self._complain("Slack does not take the bot's token", code, trouble)
                await self._hand_back(message)
            case _:
                wait = _backoff(message.tries)
                log.warning("message refused", message=message.id, code=code, again_in=wait.seconds)
                await self._release(message, wait)

    def _complain(self, what: str, code: str, trouble: Trouble, place: str = "") -> None:
        """Tell whoever runs the bot, once each time that it is tried."""
        wait = self._pace.closed(place)
        if wait is not None:
            log.error(
                what,
                channel=place or None,
                code=code,
                advice=advice_on(code, trouble),
                again_in=wait.seconds,
            )

    async def _is_for_one_who_left(self, message: Message) -> bool:
        """Whether it is for the direct messages of somebody who is deactivated."""
        return message.audience[:1] in ("U", "W") and await self._people.has_left(message.audience)

    async def _lost(self, message: Message, error: Exception) -> None:
        """Come back later. A post whose answer was lost may then be made twice.

        It is not tried again at once, nor often: each try may add one.
        """
        log.warning("message lost", message=message.id, type=type(error).__name__)
        soon = _backoff(message.tries)
        await self._release(message, soon if message.ts is not None else max(CLAIM, soon))

    async def _release(self, message: Message, wait: timedelta) -> None:
        async with self._database.transaction() as tx:
            await messages.release(tx, message, until=self._clock.now() + wait)

    async def _forget(self, message: Message, *, is_deleted: bool) -> None:
        """Owe it never again. A card that approvers need is posted anew, if somebody deleted it."""
        async with self._database.transaction() as tx:
            await messages.give_up(tx, message, gone=True)
            found = await registrations.get(tx, message.registration)
            waits = found is not None and found.status is Status.PENDING
            if is_deleted and waits and message.kind is MessageKind.CARD:
                await messages.owe(tx, message.registration, MessageKind.CARD, message.audience)
        self.loop.bell.ring()

    async def _hand_back(self, message: Message, trouble: str | None = None) -> None:
        """Let it go first again as soon as it can go at all. App Homes tell of the trouble."""
        async with self._database.transaction() as tx:
            await messages.hand_back(tx, message, trouble=trouble)
        self.loop.bell.ring()


def _outdated(stale: Iterable[Message]) -> frozenset[Place]:
    """Return where cards are that are not there yet, or say what is no longer so."""
    return frozenset((each.registration, each.audience) for each in stale if each.kind in CARDS)


def _calls(message: Message, urgency: Urgency) -> tuple[Call, ...]:
    """Return the limited calls that it takes to show this, the one that shows it last."""
    if message.kind is MessageKind.MASK:
        return ()
    if message.ts is not None:
        is_urgent = urgency <= Urgency.FINAL
        return (Call(method=UPDATE, place=message.channel or "", is_urgent=is_urgent),)
    post = Call(method=POST, place=message.audience)
    return (Call(method=LOOK_UP), post) if message.kind in LOOKED_UP else (post,)


def _digest(text: str, blocks: Blocks) -> str:
    return hashlib.sha256(json.dumps([text, blocks], sort_keys=True).encode()).hexdigest()


def _backoff(tries: int) -> timedelta:
    return min(timedelta(seconds=2.0 ** min(tries, 10)), LONGEST_WAIT)
