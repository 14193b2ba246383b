"""Pace: as much as Slack allows and never more, also while answers take longer and longer."""

from datetime import timedelta
from random import Random

import pytest

from bot.playground.workspace.rates import Rates
from handlers.slack.rate_limits import (
    EVERYTHING,
    LONGEST_WAIT,
    LOOK_UP,
    POST,
    UPDATE,
    Call,
    RateLimits,
)
from tests.support.still_clock import StillClock

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
FINAL = Call(method=UPDATE, place="C1", is_urgent=True)
PROGRESS = Call(method=UPDATE, place="C1")
CARD = Call(method=POST, place="C1")


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def pace(clock: StillClock) -> RateLimits:
    return RateLimits(clock)


def is_free(pace: RateLimits, clock: StillClock, call: Call) -> bool:
    return pace.free_at(call) <= clock.now()


def burst(pace: RateLimits, clock: StillClock, call: Call, *, most: int = 1000) -> int:
    """Make calls while they are free now; return how many they were."""
    for made in range(most):
        if not is_free(pace, clock, call):
            return made
        pace.take(call)
    assert most < 1000, "There is no limit."
    return most


@pytest.mark.parametrize(
    ("call", "least"),
    [(FINAL, 0.9 * 50), (PROGRESS, 0.9 * 50), (CARD, 0.9 * 60), (Call(method=LOOK_UP), 0.9 * 40)],
    ids=str,
)
def test_what_slack_allows_is_used_and_never_refused(
    pace: RateLimits, clock: StillClock, call: Call, least: float
) -> None:
    rates, random = Rates(enforced=True), Random(7)
    begin = clock.now()
    while clock.now() < begin + 10 * MINUTE:
        if is_free(pace, clock, call):
            pace.take(call)
            on_its_way = random.random() * 0.9 * SECOND
            assert not rates.retry_after(call.method, call.place, clock.now() + on_its_way)
        else:
            late = random.random() * 0.2 * SECOND
            clock.move(pace.free_at(call) - clock.now() + late)
    count = rates.count(call.method)
    assert not count.refused
    # The last nine minutes: whatever went at once after the pause before does not count.
    steady = [at for at in count.allowed if at >= begin + MINUTE]
    assert len(steady) >= 9 * least


def test_progress_leaves_room_for_final_states(pace: RateLimits, clock: StillClock) -> None:
    end = clock.now() + MINUTE
    while clock.now() < end:
        burst(pace, clock, PROGRESS)
        clock.move(SECOND)
    assert burst(pace, clock, FINAL) >= 2


def test_final_states_go_at_once_after_a_pause_and_progress_is_spread(
    pace: RateLimits, clock: StillClock
) -> None:
    assert burst(pace, clock, PROGRESS) == 4
    assert burst(pace, clock, FINAL) == 46
    assert burst(pace, clock, FINAL) == 0


def test_a_429_stops_what_it_is_about_and_nothing_else(pace: RateLimits, clock: StillClock) -> None:
    pace.throttled(CARD, 30 * SECOND)
    assert not is_free(pace, clock, CARD)
    assert is_free(pace, clock, Call(method=POST, place="C2"))
    assert is_free(pace, clock, FINAL)
    pace.throttled(FINAL, 10 * SECOND)
    assert not is_free(pace, clock, Call(method=UPDATE, place="C2", is_urgent=True))
    clock.move(10 * SECOND)
    assert is_free(pace, clock, FINAL)
    assert not is_free(pace, clock, CARD)
    clock.move(20 * SECOND)
    assert is_free(pace, clock, CARD)


def test_a_closed_channel_is_tried_again_more_and_more_slowly(
    pace: RateLimits, clock: StillClock
) -> None:
    waits = []
    for _ in range(6):
        waits.append(pace.closed("C1"))
        assert pace.closed("C1") is None  # the others that were under way
        assert not is_free(pace, clock, CARD)
        assert is_free(pace, clock, Call(method=POST, place="C2"))
        clock.move(LONGEST_WAIT)
    assert waits == [it * SECOND for it in (30, 60, 120, 240, 300, 300)]
    pace.went_through(CARD)
    assert pace.closed("C1") == 30 * SECOND


def test_all_of_slack_can_be_closed(pace: RateLimits, clock: StillClock) -> None:
    assert pace.closed(EVERYTHING) == 30 * SECOND
    assert not any(is_free(pace, clock, call) for call in (CARD, FINAL, Call(method=LOOK_UP)))
    clock.move(30 * SECOND)
    assert all(is_free(pace, clock, call) for call in (CARD, FINAL, Call(method=LOOK_UP)))


def test_what_was_not_sent_after_all_can_be_sent(pace: RateLimits, clock: StillClock) -> None:
    burst(pace, clock, FINAL)
    pace.give_back(FINAL)
    assert burst(pace, clock, FINAL) == 1


def test_people_written_to_long_ago_are_forgotten(pace: RateLimits, clock: StillClock) -> None:
    for number in range(3000):
        clock.move(SECOND)
        pace.take(Call(method=POST, place=f"U{number}"))
    assert len(pace._posts_in) <= 1000


def test_progress_gets_what_final_states_leave_over(pace: RateLimits, clock: StillClock) -> None:
    waiting = progress = longest = 0
    for second in range(600):
        waiting += second % 2  # thirty final states a minute
        went = burst(pace, clock, FINAL, most=waiting)
        waiting -= went
        longest = max(longest, waiting)
        progress += burst(pace, clock, PROGRESS)
        clock.move(SECOND)
    assert longest <= 6
    assert burst(pace, clock, FINAL) >= 15, "there is room for many that end at once"
    assert progress >= 10
