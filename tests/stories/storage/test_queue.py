"""The order of stale messages: the urgent first, of equals the oldest, and none starves."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Status
from bot.storage import messages, registrations, tables
from bot.storage.database import Database
from bot.storage.messages import PATIENCE, MessageKind, Stale
from handlers.outbox.dispatcher import SPACING, calls_of
from handlers.slack.rate_limits import RateLimits
from tests.support.factories import NOON, ROSA
from tests.support.still_clock import StillClock

SECOND = timedelta(seconds=1)


class Queue:
    """Messages in storage, each of a registration of its own that has the same id."""

    def __init__(self, tx: AsyncConnection, clock: StillClock) -> None:
        self._tx = tx
        self.clock = clock

    async def add(
        self,
        *ids: str,
        kind: MessageKind = MessageKind.CARD,
        status: Status = Status.APPROVED,
        is_posted: bool = True,
        is_drawn: bool = True,
    ) -> None:
        drawn_at = NOON - 9 * SECOND if is_drawn else None
        await self.insert([(id, kind, status, NOON, drawn_at) for id in ids], is_posted=is_posted)

    async def insert(
        self,
        rows: Iterable[tuple[str, MessageKind, Status, datetime, datetime | None]],
        *,
        is_posted: bool = True,
    ) -> None:
        place = ("C0APPROVE", "1.1") if is_posted else (None, None)
        for id, kind, status, created_at, drawn_at in rows:
            await self._tx.execute(
                sa.insert(tables.registrations).values(_row(id, status, created_at))
            )
            await self._tx.execute(
                sa.insert(tables.messages).values(
                    id=id,
                    registration=id,
                    kind=kind,
                    audience="C0APPROVE",
                    wanted=2,
                    shown=int(is_posted),
                    channel=place[0],
                    ts=place[1],
                    shown_at=drawn_at,
                    tries=0,
                    gone=False,
                )
            )

    async def ids(self, *, after: timedelta = timedelta(0)) -> list[str]:
        """Return them in order, that long after noon."""
        self.clock.at = NOON + after
        return [it.message.id for it in await self.look(drawn_before=self.clock.at)]

    async def look(self, *, drawn_before: datetime, limit: int = 99) -> Sequence[Stale]:
        """Look as the dispatcher does."""
        now = self.clock.now()
        await messages.note_waiting(self._tx, now, drawn_before=drawn_before)
        return await messages.stale(self._tx, now, drawn_before=drawn_before, limit=limit)

    async def claim(self, id: str) -> messages.Message:
        now = self.clock.now()
        found = await messages.stale(self._tx, now, drawn_before=now, limit=9999)
        wanted = [it.message for it in found if it.message.id == id]
        return (await messages.claim(self._tx, wanted, now))[0]

    async def show(self, id: str, status: Status) -> None:
        """Show it in this state, and let there be something new to show at once."""
        message = await self.claim(id)
        await messages.posted(self._tx, message, channel="C0APPROVE", ts="1.1", shows=status)
        await registrations.bump_version(self._tx, id)

    async def unclaim(self, message: messages.Message) -> None:
        await messages.unclaim(self._tx, message)

    async def set_shows(self, id: str, status: Status) -> None:
        await self._tx.execute(
            sa.update(tables.messages).where(tables.messages.c.id == id).values(shows=status)
        )


def _row(id: str, status: Status, created_at: datetime) -> dict[str, object]:
    unique = dict.fromkeys(("id", "key", "origin", "wish_digest", "profile_digest"), id)
    empty = {"version": 1, "changed": 1, "form": {}, "reasons": []}
    who = {"team_id": ROSA.team_id, "user_id": ROSA.user_id, "requester_name": ROSA.name}
    return {**unique, **empty, **who, "status": status, "created_at": created_at}


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[Queue]:
    async with database.transaction() as tx:
        yield Queue(tx, StillClock())


async def test_the_urgent_come_first(queue: Queue) -> None:
    await queue.add("progress")
    await queue.add("touched", is_drawn=False)
    await queue.add("final", status=Status.READY)
    await queue.add("mask", kind=MessageKind.MASK, is_posted=False)
    assert await queue.ids() == ["mask", "final", "touched", "progress"]


async def test_what_somebody_waits_for_comes_before_progress(queue: Queue) -> None:
    await queue.add("progress")
    await queue.add("values", kind=MessageKind.VALUES, is_posted=False)
    assert await queue.ids() == ["values", "progress"]


async def test_what_slack_did_not_take_keeps_its_place(queue: Queue) -> None:
    await queue.add("first", is_drawn=False)
    assert await queue.ids() == ["first"]
    under_way = await queue.claim("first")
    await queue.add("second", is_drawn=False)
    assert await queue.ids(after=SECOND) == ["second"]
    await queue.unclaim(under_way)
    assert await queue.ids(after=2 * SECOND) == ["first", "second"]
    await queue.show("first", Status.APPROVED)
    assert await queue.ids(after=4 * SECOND) == ["second", "first"]


async def test_of_equals_the_oldest_comes_first(queue: Queue) -> None:
    await queue.add("final", status=Status.READY)
    await queue.ids()
    await queue.add("newer", status=Status.READY)
    assert await queue.ids(after=SECOND) == ["final", "newer"]


async def test_who_was_shown_in_between_stands_at_the_end_again(queue: Queue) -> None:
    await queue.add("final", status=Status.READY)
    await queue.ids()
    await queue.add("other", status=Status.READY)
    await queue.ids(after=SECOND)
    await queue.show("final", Status.APPROVED)
    assert await queue.ids(after=2 * SECOND) == ["other", "final"]


async def test_nobody_waits_for_ever_behind_those_who_came_later(queue: Queue) -> None:
    await queue.add("progress")
    await queue.ids()
    await queue.add("final", status=Status.READY)
    assert await queue.ids(after=PATIENCE - SECOND) == ["final", "progress"]
    assert await queue.ids(after=PATIENCE) == ["progress", "final"]


async def test_what_shows_its_final_state_already_waits_behind_what_does_not(queue: Queue) -> None:
    await queue.add("changed", status=Status.READY)
    await queue.ids()
    await queue.show("changed", Status.READY)
    await queue.ids()
    await queue.add("final", status=Status.READY)
    assert await queue.ids(after=SECOND) == ["final", "changed"]
    await queue.set_shows("changed", Status.APPROVED)  # it was retried, and is ready again
    assert await queue.ids(after=SECOND) == ["changed", "final"]


async def test_of_final_states_cards_come_before_the_requesters_own(queue: Queue) -> None:
    await queue.add("own", kind=MessageKind.PROGRESS, status=Status.READY)
    await queue.ids()
    await queue.add("final", status=Status.READY)
    assert await queue.ids(after=SECOND) == ["final", "own"]
    assert await queue.ids(after=PATIENCE) == ["own", "final"]


class Crowd:
    """Registrations that come evenly; each has a card in the channel and one of its requester's.

    While its run is at work both want to be drawn every three seconds, then show how it ended.
    """

    RUNS = 12 * SECOND
    LOOKED_AT = 100
    """More than Slack takes in a minute: behind so many urgent ones nothing can be drawn."""

    def __init__(self, queue: Queue, tx: AsyncConnection, registrations: int, minutes: int) -> None:
        self.clock = queue.clock
        self._queue, self._tx = queue, tx
        self.ended = {
            f"{kind} {number}": NOON + number * timedelta(minutes=minutes) / registrations
            for number in range(registrations)
            for kind in (MessageKind.CARD, MessageKind.PROGRESS)
        }
        self.final: dict[str, datetime] = {}
        self.progress: list[datetime] = []

    async def sees(self, minutes: int) -> None:
        """Let so many minutes pass, and draw what the queue and the pace let through."""
        pace = RateLimits(self.clock)
        await self._queue.insert(
            (id, MessageKind(id.split()[0]), Status.APPROVED, ended, ended - self.RUNS - SPACING)
            for id, ended in self.ended.items()
        )
        while self.now < NOON + timedelta(minutes=minutes):
            await self._end_runs()
            drawn_before = self.now - SPACING
            for it in await self._queue.look(drawn_before=drawn_before, limit=self.LOOKED_AT):
                [call] = calls_of(it)
                if pace.free_at(call) <= self.now:
                    pace.take(call)
                    await self._draw(it)
            self.clock.move(SECOND)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def waits(self, kind: MessageKind) -> list[timedelta]:
        return sorted(at - self.ended[id] for id, at in self.final.items() if id.startswith(kind))

    async def _end_runs(self) -> None:
        registrations = tables.registrations
        await self._tx.execute(
            sa.update(registrations)
            .where(registrations.c.created_at <= self.now)
            .values(status=Status.READY)
        )

    async def _draw(self, it: Stale) -> None:
        [message] = await messages.claim(self._tx, [it.message], self.now)
        await messages.posted(self._tx, message, channel="C0APPROVE", ts="1.1", shows=it.status)
        if it.is_final:
            self.final[message.id] = self.now
        else:
            self.progress.append(self.now)
            await self._tx.execute(
                sa.update(tables.messages)
                .where(tables.messages.c.id == message.id)
                .values(wanted=tables.messages.c.wanted + 1)
            )


async def test_three_hundred_that_end_within_nine_minutes_are_drawn_as_fast_as_slack_allows(
    database: Database,
) -> None:
    """600 final states at 50 a minute: Slack takes them in twelve minutes, and no sooner."""
    async with database.transaction() as tx:
        crowd = Crowd(Queue(tx, StillClock()), tx, 300, minutes=9)
        await crowd.sees(minutes=13)
    assert len(crowd.final) == 2 * 300
    assert max(crowd.final.values()) <= NOON + timedelta(minutes=12, seconds=30)
    cards = crowd.waits(MessageKind.CARD)
    assert cards[len(cards) // 2] <= 15 * SECOND
    assert cards[-1] <= timedelta(minutes=3)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= PATIENCE + timedelta(minutes=2)


async def test_progress_goes_on_beside_a_few_final_states(database: Database) -> None:
    async with database.transaction() as tx:
        crowd = Crowd(Queue(tx, StillClock()), tx, 30, minutes=9)
        await crowd.sees(minutes=9)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= 2 * SECOND
    assert len(crowd.progress) >= 30 * 2 * 3
