"""The order of stale messages: the urgent first, of equals the oldest, and none starves."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Status
from bot.storage import message_queue, messages, registrations, tables
from bot.storage.database import Database
from bot.storage.message_queue import ON_THE_WAY, PATIENCE, Stale
from bot.storage.messages import Message, MessageKind
from handlers.outbox.dispatcher import SPACING, calls_of
from handlers.slack.rate_limits import RateLimits
from tests.support.factories import NOON, ROSA
from tests.support.registrar_env import opened
from tests.support.still_clock import StillClock

SECOND = timedelta(seconds=1)


class Queue:
    """Messages in storage, each of a registration of its own that has the same id."""

    def __init__(self, tx: AsyncConnection) -> None:
        self.tx = tx
        self.clock = StillClock()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def add(
        self,
        id: str,
        kind: MessageKind = MessageKind.CARD,
        status: Status = Status.APPROVED,
        *,
        is_posted: bool = True,
        drawn_at: datetime | None = NOON - 9 * SECOND,
        created_at: datetime = NOON,
    ) -> None:
        row: dict[str, Any] = {"status": status, "created_at": created_at}
        row |= dict.fromkeys(("id", "key", "origin", "wish_digest", "profile_digest"), id)
        row |= {"version": 1, "changed": 1, "form": {}, "reasons": [], "requester_name": ROSA.name}
        row |= {"team_id": ROSA.team_id, "user_id": ROSA.user_id}
        await self.tx.execute(sa.insert(tables.registrations).values(row))
        row = {"id": id, "registration": id, "kind": kind, "audience": "C0APPROVE"}
        row |= {"wanted": 2, "shown": 0, "shown_at": drawn_at, "tries": 0, "gone": False}
        if is_posted:
            row |= {"shown": 1, "channel": "C0APPROVE", "ts": "1.1"}
        await self.tx.execute(sa.insert(tables.messages).values(row))

    async def ids(self, *, after: timedelta = timedelta(0)) -> list[str]:
        """Return them in order, that long after noon."""
        self.clock.at = NOON + after
        return [it.message.id for it in await self.look(drawn_before=self.now)]

    async def look(self, *, drawn_before: datetime, limit: int = 99) -> Sequence[Stale]:
        """Look as the dispatcher does."""
        await message_queue.note_waiting(self.tx, self.now, drawn_before=drawn_before)
        return await message_queue.stale(self.tx, self.now, drawn_before=drawn_before, limit=limit)

    async def claim(self, id: str) -> Message:
        found = await message_queue.stale(self.tx, self.now, drawn_before=self.now, limit=99)
        wanted = [it.message for it in found if it.message.id == id]
        return (await message_queue.claim(self.tx, wanted, self.now))[0]

    async def show(self, id: str, status: Status) -> None:
        """Show it in this state, and let there be something new to show at once."""
        await self.post(await self.claim(id), status)
        await registrations.bump_version(self.tx, id)

    async def post(self, message: Message, status: Status) -> None:
        await messages.posted(self.tx, message, channel="C0APPROVE", ts="1.1", shows=status)

    async def set(self, id: str, **columns: Any) -> None:
        update = sa.update(tables.messages).where(tables.messages.c.id == id)
        await self.tx.execute(update.values(columns))


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[Queue]:
    async with database.transaction() as tx:
        yield Queue(tx)


async def test_the_urgent_come_first(queue: Queue) -> None:
    await queue.add("progress")
    await queue.add("touched", drawn_at=None)
    await queue.add("final", status=Status.READY)
    await queue.add("mask", MessageKind.MASK, is_posted=False)
    assert await queue.ids() == ["mask", "final", "touched", "progress"]


async def test_what_somebody_waits_for_comes_before_progress(queue: Queue) -> None:
    await queue.add("progress")
    await queue.add("values", MessageKind.VALUES, is_posted=False)
    assert await queue.ids() == ["values", "progress"]


async def test_what_slack_did_not_take_keeps_its_place(queue: Queue) -> None:
    await queue.add("first", drawn_at=None)
    assert await queue.ids() == ["first"]
    under_way = await queue.claim("first")
    await queue.add("second", drawn_at=None)
    assert await queue.ids(after=SECOND) == ["second"]
    await messages.unclaim(queue.tx, under_way)
    assert await queue.ids(after=2 * SECOND) == ["first", "second"]
    await queue.show("first", Status.APPROVED)
    assert await queue.ids(after=4 * SECOND) == ["second", "first"]


async def test_of_equals_the_oldest_comes_first_and_who_was_shown_stands_at_the_end(
    queue: Queue,
) -> None:
    await queue.add("final", status=Status.READY)
    await queue.ids()
    await queue.add("newer", status=Status.READY)
    assert await queue.ids(after=SECOND) == ["final", "newer"]
    await queue.show("final", Status.APPROVED)
    assert await queue.ids(after=2 * SECOND) == ["newer", "final"]


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
    await queue.set("changed", shows=Status.APPROVED)  # it was retried, and is ready again
    assert await queue.ids(after=SECOND) == ["changed", "final"]


async def test_of_final_states_cards_come_before_the_requesters_own(queue: Queue) -> None:
    await queue.add("own", MessageKind.PROGRESS, Status.READY)
    await queue.ids()
    await queue.add("final", status=Status.READY)
    assert await queue.ids(after=SECOND) == ["final", "own"]
    assert await queue.ids(after=PATIENCE) == ["own", "final"]


class Crowd(Queue):
    """Registrations that come evenly; each has a card in the channel and one of its requester's.

    While its run is at work both want to be drawn every three seconds, then show how it ended.
    """

    RUNS = 12 * SECOND
    LOOKED_AT = 60
    """More than Slack takes in a minute: behind so many urgent ones nothing can be drawn."""

    async def come(self, registrations: int, *, minutes: int) -> None:
        self.final: dict[str, datetime] = {}
        self.progress: list[datetime] = []
        self.ended = {
            f"{kind} {number}": NOON + number * timedelta(minutes=minutes) / registrations
            for number in range(registrations)
            for kind in (MessageKind.CARD, MessageKind.PROGRESS)
        }
        for id, ended in self.ended.items():
            kind, drawn_at = MessageKind(id.split()[0]), ended - self.RUNS - SPACING
            await self.add(id, kind, drawn_at=drawn_at, created_at=ended)

    async def sees(self, minutes: int) -> None:
        """Let so many minutes pass, and draw what the queue and the pace let through."""
        pace, table = RateLimits(self.clock), tables.registrations
        while self.now < NOON + timedelta(minutes=minutes):
            is_news = (table.c.created_at <= self.now) & (table.c.status == Status.APPROVED)
            ended = sa.update(table).where(is_news)
            await self.tx.execute(ended.values(status=Status.READY))
            drawn_before = self.now - SPACING
            for it in await self.look(drawn_before=drawn_before, limit=self.LOOKED_AT):
                [call] = calls_of(it)
                if pace.free_at(call) <= self.now:
                    pace.take(call)
                    await self._draw(it)
            self.clock.move(SECOND)

    def waits(self, kind: MessageKind) -> list[timedelta]:
        return sorted(at - self.ended[id] for id, at in self.final.items() if id.startswith(kind))

    async def _draw(self, it: Stale) -> None:
        [message] = await message_queue.claim(self.tx, [it.message], self.now)
        await self.post(message, it.status)
        if it.status not in ON_THE_WAY:
            self.final[message.id] = self.now
        else:
            self.progress.append(self.now)
            await self.set(message.id, wanted=message.wanted + 1)


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """On SQLite: in one transaction PostgreSQL keeps every row that was ever changed."""
    async with (
        opened(f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}") as database,
        database.transaction() as tx,
    ):
        yield Crowd(tx)


@pytest.mark.slow
async def test_three_hundred_that_end_within_nine_minutes_are_drawn_as_fast_as_slack_allows(
    crowd: Crowd,
) -> None:
    """600 final states at 50 a minute: Slack takes them in twelve minutes, and no sooner."""
    await crowd.come(300, minutes=9)
    await crowd.sees(minutes=13)
    assert len(crowd.final) == 2 * 300
    assert max(crowd.final.values()) <= NOON + timedelta(minutes=12, seconds=30)
    cards = crowd.waits(MessageKind.CARD)
    assert cards[len(cards) // 2] <= 15 * SECOND
    assert cards[-1] <= timedelta(minutes=3)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= PATIENCE + timedelta(minutes=2)


@pytest.mark.slow
async def test_progress_goes_on_beside_a_few_final_states(crowd: Crowd) -> None:
    await crowd.come(30, minutes=9)
    await crowd.sees(minutes=9)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= 2 * SECOND
    assert len(crowd.progress) >= 30 * 2 * 3
