"""Limits on look-ups: how often users can make the bot ask Slack who they are.

Slack allows 100 `users.info` a minute in total, of which messages may use 40
(`handlers.slack.rate_limits`). The rest is shared, so that no user can use it up and keep
approvers from deciding."""

from datetime import datetime, timedelta

from cachetools import TTLCache

from graph.clock import Clock
from handlers.slack.rate_limits import SlidingWindow, TokenBucket

PEOPLE_A_MINUTE = 60
KEPT_FOR_APPROVERS = 20
"""Of these so many are only for approvers."""
EACH_EVERY = timedelta(seconds=3)
EACH_BURST = 20
"""So many at once for one person, approvers, too, and then one every three seconds."""


class LookupLimits:
    """Counts look-ups, and says whether there is room for one more."""

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
