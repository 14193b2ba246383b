"""The queue: what is urgent first, of equals the oldest, and nobody starves."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.domain.registration import Status
from bot.storage.messages import MessageKind, Stale
from handlers.outbox.dispatcher import SPACING, calls_of
from handlers.outbox.priority import PATIENCE, PriorityQueue
from handlers.slack.rate_limits import RateLimits
from tests.support.factories import NOON
from tests.support.message_rows import SECOND, VALUES, stale
from tests.support.still_clock import StillClock

PROGRESS = stale("progress")
TOUCHED = stale("touched", is_drawn=False)
FINAL = stale("final", is_final=True)
MASK = stale("mask", MessageKind.MASK, is_posted=False)


def ids(queue: PriorityQueue, found: list[Stale], *, after: timedelta = timedelta(0)) -> list[str]:
    return [it.message.id for _, it in queue.ordered(found, NOON + after)]


def test_the_urgent_come_first() -> None:
    found = [PROGRESS, TOUCHED, FINAL, MASK]
    assert ids(PriorityQueue(), found) == ["mask", "final", "touched", "progress"]
    assert ids(PriorityQueue(), [PROGRESS, VALUES]) == ["values", "progress"]


def test_what_slack_did_not_take_keeps_its_place() -> None:
    queue, first, second = PriorityQueue(), stale("first"), stale("second")
    assert ids(queue, [first]) == ["first"]
    queue.ordered([second], NOON + SECOND, under_way=["first"])
    assert ids(queue, [second, first], after=2 * SECOND) == ["first", "second"]
    queue.ordered([second], NOON + 3 * SECOND, under_way=["first"])
    queue.shown("first", Status.APPROVED)
    assert ids(queue, [first, second], after=4 * SECOND) == ["second", "first"]


def test_of_equals_the_oldest_comes_first() -> None:
    queue, newer = PriorityQueue(), stale("newer", is_final=True)
    ids(queue, [FINAL])
    assert ids(queue, [newer, FINAL], after=SECOND) == ["final", "newer"]


def test_who_was_shown_in_between_stands_at_the_end_again() -> None:
    queue, other = PriorityQueue(), stale("other", is_final=True)
    ids(queue, [FINAL])
    ids(queue, [other], after=SECOND)
    assert ids(queue, [FINAL, other], after=2 * SECOND) == ["other", "final"]


def test_nobody_waits_for_ever_behind_those_who_came_later() -> None:
    queue = PriorityQueue()
    ids(queue, [PROGRESS])
    assert ids(queue, [FINAL, PROGRESS], after=PATIENCE - SECOND) == ["final", "progress"]
    assert ids(queue, [FINAL, PROGRESS], after=PATIENCE) == ["progress", "final"]


def test_what_shows_its_final_state_already_waits_behind_what_does_not() -> None:
    queue, changed = PriorityQueue(), stale("changed", is_final=True)
    ids(queue, [changed])
    queue.shown("changed", Status.READY)
    assert ids(queue, [changed, FINAL], after=SECOND) == ["final", "changed"]
    queue.shown("changed", Status.APPROVED)  # it was retried, and is ready again
    assert ids(queue, [changed, FINAL], after=SECOND) == ["changed", "final"]


def test_of_final_states_cards_come_before_the_requesters_own() -> None:
    queue, own = PriorityQueue(), stale("own", MessageKind.PROGRESS, is_final=True)
    ids(queue, [own])
    assert ids(queue, [own, FINAL], after=SECOND) == ["final", "own"]
    assert ids(queue, [own, FINAL], after=PATIENCE) == ["own", "final"]


class Crowd:
    """Registrations that come evenly; each has a card in the channel and one of its requester's.

    While its run is at work both want to be drawn every three seconds, then show how it ended.
    """

    RUNS = 12 * SECOND

    def __init__(self, registrations: int, minutes: int) -> None:
        self.clock = StillClock()
        self.ended = {
            f"{kind} {number}": NOON + number * timedelta(minutes=minutes) / registrations
            for number in range(registrations)
            for kind in (MessageKind.CARD, MessageKind.PROGRESS)
        }
        self.drawn: dict[str, datetime] = {}
        self.final: dict[str, datetime] = {}
        self.progress: list[datetime] = []

    def sees(self, minutes: int) -> None:
        """Let so many minutes pass, and draw what the queue and the pace let through."""
        pace, queue = RateLimits(self.clock), PriorityQueue()
        while self.now < NOON + timedelta(minutes=minutes):
            for urgency, it in queue.ordered([*self._stale()], self.now):
                [call] = calls_of(it.message, urgency)
                if pace.free_at(call) <= self.now:
                    pace.take(call)
                    self._draw(it)
            self.clock.move(SECOND)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def waits(self, kind: MessageKind) -> list[timedelta]:
        return sorted(at - self.ended[id] for id, at in self.final.items() if id.startswith(kind))

    def _stale(self) -> Iterator[Stale]:
        for id, ended in self.ended.items():
            is_recent = self.now - self.drawn.get(id, NOON) < SPACING and id in self.drawn
            if ended - self.RUNS <= self.now and id not in self.final and not is_recent:
                yield stale(id, MessageKind(id.split()[0]), is_final=ended <= self.now)

    def _draw(self, it: Stale) -> None:
        self.drawn[it.message.id] = self.now
        if it.is_final:
            self.final[it.message.id] = self.now
        else:
            self.progress.append(self.now)


def test_three_hundred_that_end_within_nine_minutes_are_drawn_as_fast_as_slack_allows() -> None:
    """600 final states at 50 a minute: Slack takes them in twelve minutes, and no sooner."""
    crowd = Crowd(300, minutes=9)
    crowd.sees(minutes=13)
    assert len(crowd.final) == 2 * 300
    assert max(crowd.final.values()) <= NOON + timedelta(minutes=12, seconds=30)
    cards = crowd.waits(MessageKind.CARD)
    assert cards[len(cards) // 2] <= 15 * SECOND
    assert cards[-1] <= timedelta(minutes=3)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= PATIENCE + timedelta(minutes=2)


def test_progress_goes_on_beside_a_few_final_states() -> None:
    crowd = Crowd(30, minutes=9)
    crowd.sees(minutes=9)
    assert crowd.waits(MessageKind.PROGRESS)[-1] <= 2 * SECOND
    assert len(crowd.progress) >= 30 * 2 * 3
