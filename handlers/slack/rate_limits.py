"""Rate limits: when Slack may be called next, so that it rarely answers 429.

Slack limits each method for the whole workspace and app, and posts for each channel, too:
docs.slack.dev/apis/web-api/rate-limits. Its promise is "50+ per minute" and the like. Here the
stricter reading counts: never more than 50 in any minute. A 429 stops only its own
method, or channel, until its Retry-After is over.

Each process paces itself alone. Replicas share one limit at Slack and do not count each other's
calls: a call above the limit is answered with 429 and sent later by any replica, so that the limit
stays used and nothing is lost.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cachetools import TTLCache

from graph.clock import Clock

POST, UPDATE, LOOK_UP = "chat.postMessage", "chat.update", "users.info"

MINUTE = timedelta(seconds=61)
"""A minute as Slack sees it: one call may be under way for a second longer than another."""

UPDATES_A_MINUTE = 50
"""chat.update is of tier 3: docs.slack.dev/reference/methods/chat.update"""
KEPT_FOR_FINAL = 3
"""Of these, the number kept for final states, which must not wait. For every two final states of
the last minute one more is kept; progress gets the rest.
"""
UPDATES_BURST = 4
"""How many others go at once after a pause, before they are spread over the minute."""

POST_EVERY = timedelta(seconds=1)
"""In one channel: docs.slack.dev/reference/methods/chat.postMessage"""
POST_BURST = 2
""""Short bursts" are allowed there; how short is not said."""
POSTS_A_MINUTE = 240
"""In the whole workspace Slack allows "several hundred" a minute."""

LOOK_UPS_A_MINUTE = 40
"""Look-ups for messages: users.info is of tier 4, 100 a minute."""

PEOPLE_A_MINUTE = 60
"""Look-ups for people who click and type now. They are shared, so that no user can use them up and
keep approvers from deciding."""
KEPT_FOR_APPROVERS = 20
"""Of these so many are only for approvers."""
EACH_EVERY = timedelta(seconds=3)
EACH_BURST = 20
"""So many at once for one person, approvers, too, and then one every three seconds."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=5)
"""How long a closed channel, or Slack as a whole, is left alone: the double each time."""
EVERYTHING = ""
FORGET_AT = 1000
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that is to be made. `place` is the channel or person, where there is one."""

    method: str
    place: str = ""
    is_urgent: bool = False

    def stoppers(self) -> tuple[str, ...]:
        """Return the scopes of a 429 that would stop this call."""
        return EVERYTHING, self.method, _place(self.place), f"{self.method} in {self.place}"


class RateLimits:
    """When each method may be called."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._updates = SlidingWindow(calls=UPDATES_A_MINUTE)
        self._urgent = SlidingWindow(calls=UPDATES_A_MINUTE)
        self._spread = TokenBucket(
            every=MINUTE / (UPDATES_A_MINUTE - KEPT_FOR_FINAL), burst=UPDATES_BURST
        )
        self._posts = SlidingWindow(calls=POSTS_A_MINUTE)
        self._posts_in: defaultdict[str, TokenBucket] = defaultdict(
            lambda: TokenBucket(every=POST_EVERY, burst=POST_BURST)
        )
        self._look_ups = SlidingWindow(calls=LOOK_UPS_A_MINUTE)
        self._stopped: dict[str, datetime] = {}
        self._closed: dict[str, int] = {}

    def free_at(self, call: Call) -> datetime:
        """Return the earliest moment for this call; if that is past, it may be made now."""
        now, keep = self._clock.now(), 0
        if call.method == UPDATE and not call.is_urgent:
            keep = KEPT_FOR_FINAL + self._urgent.count(now) // 2
        free = [self._stopped.get(key, LONG_AGO) for key in call.stoppers()]
        return max(*free, *(limit.free_at(now, keep=keep) for limit in self._limits(call)))

    def take(self, call: Call) -> None:
        """Count a call that is about to be made."""
        now = self._clock.now()
        for limit in self._limits(call):
            limit.take(now)
        self._forget(now)

    def give_back(self, call: Call) -> None:
        """Count a call as not made after all."""
        for limit in self._limits(call):
            limit.give_back()

    def throttled(self, call: Call, wait: timedelta) -> None:
        """Obey a 429: it is about this method, for posts in this channel."""
        key = f"{call.method} in {call.place}" if call.method == POST else call.method
        self._stop(key, self._clock.now() + wait)

    def closed(self, place: str = EVERYTHING) -> timedelta | None:
        """Leave a channel alone for a while, or without one all of Slack, and longer each time.

        Return for how long, or None if it is left alone already.
        """
        key, now = _place(place), self._clock.now()
        if self._stopped.get(key, LONG_AGO) > now:
            return None
        times = self._closed.get(key, 0)
        wait = min(FIRST_WAIT * (1 << times), LONGEST_WAIT)
        self._closed[key] = min(times + 1, 10)
        self._stop(key, now + wait)
        return wait

    def went_through(self, call: Call) -> None:
        """Note that Slack took it: nothing is closed there."""
        for key in call.stoppers():
            self._closed.pop(key, None)

    def _limits(self, call: Call) -> "tuple[SlidingWindow | TokenBucket, ...]":
        if call.method == UPDATE:
            return self._updates, self._urgent if call.is_urgent else self._spread
        if call.method == POST:
            return self._posts, self._posts_in[call.place]
        return (self._look_ups,)

    def _stop(self, key: str, until: datetime) -> None:
        self._stopped[key] = max(until, self._stopped.get(key, until))

    def _forget(self, now: datetime) -> None:
        """Drop outdated entries of people who were written to long ago."""
        if len(self._posts_in) + len(self._stopped) < FORGET_AT:
            return
        for place in [it for it, bucket in self._posts_in.items() if bucket.is_full(now)]:
            del self._posts_in[place]
        self._stopped = {key: until for key, until in self._stopped.items() if until > now}


class LookupLimits:
    """Limits how often users can make the bot ask Slack who they are."""

    def __init__(
        self, clock: Clock, *, a_minute: int = PEOPLE_A_MINUTE, burst: int = EACH_BURST
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._all = SlidingWindow(calls=a_minute)
        # A bucket that nothing was taken from for so long is full again, like a new one.
        self._each: TTLCache[str, TokenBucket, datetime] = TTLCache(
            a_minute, EACH_EVERY * burst, timer=clock.now
        )

    def take(self, user_id: str, *, is_approver: bool = False) -> bool:
        """Count a look-up for this person; False if there is no room for it."""
        now = self._clock.now()
        each = self._each.get(user_id) or TokenBucket(every=EACH_EVERY, burst=self._burst)
        keep = 0 if is_approver else KEPT_FOR_APPROVERS
        if each.free_at(now) > now or self._all.free_at(now, keep=keep) > now:
            return False
        each.take(now)
        self._each[user_id] = each
        self._all.take(now)
        return True


@dataclass(kw_only=True)
class SlidingWindow:
    """So many in any minute."""

    calls: int
    _made: deque[datetime] = field(default_factory=deque)

    def free_at(self, now: datetime, *, keep: int = 0) -> datetime:
        """Return since or from when there is room for one more, with so many to spare."""
        over = self.count(now) - (self.calls - keep)
        return LONG_AGO if over < 0 else self._made[over] + MINUTE

    def count(self, now: datetime) -> int:
        """Return how many were made in the last minute."""
        while self._made and self._made[0] + MINUTE <= now:
            self._made.popleft()
        return len(self._made)

    def take(self, now: datetime) -> None:
        self._made.append(now)

    def give_back(self) -> None:
        if self._made:
            self._made.pop()


@dataclass(kw_only=True)
class TokenBucket:
    """One every so often, and so many at once after a pause."""

    every: timedelta
    burst: int
    _full_at: datetime = LONG_AGO + timedelta(days=1)

    def free_at(self, now: datetime, *, keep: int = 0) -> datetime:
        """Return since or from when there is room for one more."""
        return self._full_at - self.every * (self.burst - 1)

    def is_full(self, now: datetime) -> bool:
        return self._full_at <= now

    def take(self, now: datetime) -> None:
        self._full_at = max(self._full_at, now) + self.every

    def give_back(self) -> None:
        self._full_at -= self.every


def _place(place: str) -> str:
    return f"in {place}" if place else EVERYTHING
