"""Messages: shows what is owed, in the order and at the pace that Slack allows.

The run never waits for Slack. Whatever goes wrong heals at a later look, because what is owed is a
row: a lost update is still stale, a final state is drawn whenever Slack lets us. A look claims only
what may be sent now, and does not wait for it: a slow answer keeps nobody else waiting.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial

from bot.registrar import Registrar
from bot.services import Services
from bot.storage import messages
from bot.storage.messages import Message, MessageKind, Stale
from bot.worker.loops import Loop, report_bug, run_guarded
from handlers.outbox.priority import Priority, PriorityQueue
from handlers.outbox.recipients import LOOKED_UP
from handlers.outbox.sender import Sender
from handlers.slack.rate_limits import LOOK_UP, POST, UPDATE, Call
from handlers.slack.services import Slack

AT_ONCE = 20
"""How many calls of Slack are under way at most; masks come on top."""
MOST = 1000
"""How many stale messages are put in order at a look."""
CALM_SECONDS = 0.03
"""How long to wait after a commit: the run it owes goes first, and more may be stale by then."""
SPACING = timedelta(seconds=3)
"""How far apart updates of one card are while its run is at work: Slack's own advice."""
UNREADABLE = timedelta(hours=1)
"""How long a row that cannot be read is left alone: only a person can mend it."""

CARDS = (MessageKind.CARD, MessageKind.PROGRESS)
Place = tuple[str, str]
"""A registration, and the channel or person that its card is for."""


class Dispatcher:
    """Shows what storage says."""

    def __init__(
        self, services: Services, slack: Slack, registrar: Registrar, *, every: float
    ) -> None:
        self._database = services.database
        self._clock = services.clock
        self._rate_limits = slack.rate_limits
        self._sender = Sender(services, slack, registrar)
        wakeup = services.wakeups.dispatcher
        self._queue = PriorityQueue()
        self._under_way: dict[str, tuple[Message, asyncio.Task[None]]] = {}
        self._held_back = False
        self._alarm: asyncio.Task[None] | None = None
        self.loop = Loop("messages", self.look, wakeup=wakeup, every=every, calm=CALM_SECONDS)

    async def look(self) -> None:
        """Begin to show everything that is stale and may be shown now."""
        unreadable: dict[str, Exception] = {}
        async with self._database.reading() as tx:
            now = self._clock.now()
            stale = await messages.stale(
                tx,
                now,
                drawn_before=now - SPACING,
                limit=MOST,
                unreadable=unreadable.__setitem__,
            )
        if unreadable:
            await self._put_off(unreadable)
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

    async def _put_off(self, unreadable: Mapping[str, Exception]) -> None:
        """Report rows that cannot be read, and leave them alone for a while."""
        for id, error in unreadable.items():
            report_bug(f"message {id}", error)
        async with self._database.transaction() as tx:
            await messages.postpone(tx, unreadable.keys(), self._clock.now() + UNREADABLE)

    def _chosen(
        self, stale: Sequence[Stale], now: datetime
    ) -> Sequence[tuple[Message, Sequence[Call]]]:
        """Return what goes to Slack now, counted as sent. Wake up when more may go."""
        chosen: list[tuple[Message, Sequence[Call]]] = []
        again_at: datetime | None = None
        self._held_back = False
        ready = [it for it in stale if it.message.id not in self._under_way]
        queued = [
            (it.message, calls_of(it.message, priority))
            for priority, it in self._queue.ordered(ready, now, under_way=self._under_way)
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
                    self._rate_limits.take(call)
                chosen.append((message, calls))
        self._wake_at(again_at)
        return chosen

    def _free_at(self, calls: Sequence[Call], now: datetime) -> datetime:
        """Return when all of these calls may be made, which is now if nothing limits them."""
        return max((self._rate_limits.free_at(call) for call in calls), default=now)

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

    def _wake_at(self, at: datetime | None) -> None:
        """Ring the bell at that moment of the clock, and at no other that was said before."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at is not None:
            self._alarm = asyncio.create_task(self._ring_at(at))

    async def _ring_at(self, at: datetime) -> None:
        # By the clock of now: since the look began, a machine may have slept for days.
        await self._clock.sleep((at - self._clock.now()).total_seconds())
        self.loop.wakeup.wake()

    async def _shown(self, message: Message, calls: Sequence[Call]) -> None:
        # A bug in one is logged, and the others go on.
        name = f"message {message.id}"
        if bug := await run_guarded(name, partial(self._show, message, calls)):
            await run_guarded(name, partial(self._sender.failed, message, bug))
        del self._under_way[message.id]
        if self._held_back:
            self.loop.wakeup.wake()

    async def _show(self, message: Message, calls: Sequence[Call]) -> None:
        shown = await self._sender.show(message, calls)
        if shown is not None:
            self._queue.shown(message.id, shown)


def _outdated(stale: Iterable[Message]) -> frozenset[Place]:
    """Return where cards are that are not there yet, or say what is no longer so."""
    return frozenset((each.registration, each.audience) for each in stale if each.kind in CARDS)


def calls_of(message: Message, priority: Priority) -> tuple[Call, ...]:
    """Return the limited calls that it takes to show this, the one that shows it last."""
    if message.kind is MessageKind.MASK:
        return ()
    if message.ts is not None:
        is_urgent = priority <= Priority.FINAL
        return (Call(method=UPDATE, place=message.channel or "", is_urgent=is_urgent),)
    post = Call(method=POST, place=message.audience)
    return (Call(method=LOOK_UP), post) if message.kind in LOOKED_UP else (post,)
