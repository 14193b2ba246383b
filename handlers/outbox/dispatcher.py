"""Show stale messages, in the order that storage gives and at the pace that Slack allows.

A run never waits for Slack. A failed try is repeated at a later look, because a pending message is
a row: a lost update is still stale. A look claims only messages that may be sent now, and does not
wait for them: a slow answer delays no other message.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.domain.registration import Status
from bot.registrar import Registrar
from bot.services import Services
from bot.storage import message_queue
from bot.storage.message_queue import Stale, Urgency
from bot.storage.messages import Message, MessageKind
from bot.worker.loops import Loop, report_bug, run_guarded
from handlers.outbox.sender import Sender
from handlers.slack.rate_limits import LOOK_UP, POST, UPDATE, Call
from handlers.slack.services import Slack

AT_ONCE = 20
"""How many calls of Slack are under way at most; masks come on top."""
MOST = 1000
"""How many stale messages are read at a look."""
CALM_SECONDS = 0.03
"""Pause after a commit: the run that it starts goes first, and more may be stale by then."""
SPACING = timedelta(seconds=3)
"""How far apart updates of one card are while its run is at work: Slack's own advice."""
UNREADABLE = timedelta(hours=1)
"""How long a row that cannot be read is left alone: only a person can mend it."""

LOOKED_UP = (
    MessageKind.VALUES,
    MessageKind.DRIFT,
    MessageKind.EXPIRY,
    MessageKind.EXPIRY_NEWS,
    MessageKind.UNREAD,
)
"""Messages for which their reader, or the requester, is looked up first."""
CARDS = (MessageKind.CARD, MessageKind.PROGRESS)
Place = tuple[str, str]
"""A registration, and the channel or person that its card is for."""
Cards = Mapping[Place, set[Status | None]]


class Dispatcher:
    """Shows stale messages."""

    def __init__(
        self, services: Services, slack: Slack, registrar: Registrar, *, every: float
    ) -> None:
        self._database = services.database
        self._clock = services.clock
        self._rate_limits = slack.rate_limits
        self._sender = Sender(services, slack, registrar)
        wakeup = services.wakeups.dispatcher
        self._under_way: dict[str, tuple[Stale, asyncio.Task[None]]] = {}
        self._held_back = False
        self._alarm: asyncio.Task[None] | None = None
        self.loop = Loop("messages", self.look, wakeup=wakeup, every=every, calm=CALM_SECONDS)

    async def look(self) -> None:
        """Begin to show everything that is stale and may be shown now."""
        unreadable: dict[str, Exception] = {}
        now = self._clock.now()
        stale = await self._database.read(
            message_queue.stale,
            now,
            drawn_before=now - SPACING,
            limit=MOST,
            unreadable=unreadable.__setitem__,
        )
        if unreadable:
            await self._put_off(unreadable)
        chosen = self._chosen(stale, now)
        if not chosen and all(it.message.waiting_since for it in stale):
            return
        async with self._database.transaction() as tx:
            await message_queue.note_waiting(tx, now, drawn_before=now - SPACING)
            wanted = [it.message for it, _ in chosen]
            claimed = {it.id: it for it in await message_queue.claim(tx, wanted, self._clock.now())}
        for it, calls in chosen:
            if message := claimed.get(it.message.id):
                task = asyncio.create_task(self._shown(message, calls))
                self._under_way[message.id] = it, task

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way to Slack."""
        return not self._under_way

    async def settle(self) -> None:
        """After the loop has stopped, let what is under way end."""
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*(task for _, task in self._under_way.values()))

    async def _put_off(self, unreadable: Mapping[str, Exception]) -> None:
        """Report rows that cannot be read, and leave them alone for a while."""
        for id, error in unreadable.items():
            report_bug(f"message {id}", error)
        until = self._clock.now() + UNREADABLE
        await self._database.write(message_queue.postpone, unreadable.keys(), until)

    def _chosen(
        self, stale: Sequence[Stale], now: datetime
    ) -> Sequence[tuple[Stale, Sequence[Call]]]:
        """Return what goes to Slack now, counted as sent. Wake up when more may go."""
        chosen: list[tuple[Stale, Sequence[Call]]] = []
        again_at: datetime | None = None
        self._held_back = False
        queued = [(it, calls_of(it)) for it in stale if it.message.id not in self._under_way]
        # A card that Slack does not take now keeps nothing waiting that points to it.
        going = (it for it, calls in queued if self._free_at(calls, now) <= now)
        cards = _cards([*going, *(it for it, _ in self._under_way.values())])
        for it, calls in queued:
            free_at = self._free_at(calls, now)
            if free_at > now:
                again_at = min(free_at, again_at or free_at)
            elif self._must_wait(it, cards, under_way=len(chosen)):
                self._held_back = True
            else:
                for call in calls:
                    self._rate_limits.take(call)
                chosen.append((it, calls))
        self._wake_at(again_at)
        return chosen

    def _free_at(self, calls: Sequence[Call], now: datetime) -> datetime:
        """Return when all of these calls may be made, which is now if nothing limits them."""
        return max((self._rate_limits.free_at(call) for call in calls), default=now)

    def _must_wait(self, it: Stale, cards: Cards, *, under_way: int) -> bool:
        """Whether something else has to come first. Masks wait for nothing."""
        if it.message.kind is MessageKind.MASK:
            return False
        if len(self._under_way) + under_way >= AT_ONCE:
            return True
        if it.message.ts is not None or it.message.kind in CARDS:
            return False
        # What points to a card comes after it; for the values it is enough that the card is ready.
        shown = cards.get(_place(it.message), set())
        return bool(shown - {it.status} if it.message.kind is MessageKind.VALUES else shown)

    def _wake_at(self, at: datetime | None) -> None:
        """Look again at that moment of the clock, and at no other that was set before."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at is not None:
            self._alarm = asyncio.create_task(self._sleep_until(at))

    async def _sleep_until(self, at: datetime) -> None:
        # By the clock of now: since the look began, a machine may have slept for days.
        await self._clock.sleep((at - self._clock.now()).total_seconds())
        self.loop.wakeup.set()

    async def _shown(self, message: Message, calls: Sequence[Call]) -> None:
        # A bug in one is logged, and the others go on.
        name = f"message {message.id}"
        if bug := await run_guarded(name, partial(self._sender.show, message, calls)):
            await run_guarded(name, partial(self._sender.failed, message, bug))
        del self._under_way[message.id]
        if self._held_back:
            self.loop.look_now()


def _cards(drawn: Iterable[Stale]) -> Cards:
    """Return the states that cards show which are about to be drawn."""
    shown = defaultdict(set)
    for it in drawn:
        if it.message.kind in CARDS:
            shown[_place(it.message)].add(it.message.shows)
    return shown


def _place(message: Message) -> Place:
    return message.registration, message.audience


def calls_of(it: Stale) -> tuple[Call, ...]:
    """Return the limited calls that it takes to show this, the one that shows it last."""
    message = it.message
    if message.kind is MessageKind.MASK:
        return ()
    if message.ts is not None:
        is_urgent = it.urgency <= Urgency.FINAL
        return (Call(method=UPDATE, place=message.channel or "", is_urgent=is_urgent),)
    post = Call(method=POST, place=message.audience)
    return (Call(method=LOOK_UP), post) if message.kind in LOOKED_UP else (post,)
