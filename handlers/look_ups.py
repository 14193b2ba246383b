"""Look-ups: how often what people do may make the bot ask Slack who they are.

Slack allows 100 `users.info` a minute for everybody together, of which messages may use 40
(`handlers.pace`). The rest is shared, so that nobody uses it up and keeps approvers from deciding.
"""

from datetime import timedelta

from graph.clock import Clock
from handlers.pace import Bucket, Window

PEOPLE_A_MINUTE = 60
KEPT_FOR_APPROVERS = 20
"""Of these so many are only for approvers."""
EACH_EVERY = timedelta(seconds=3)
EACH_BURST = 20
"""So many at once for one person, approvers, too, and then one every three seconds."""
FORGET_AT = 1000


class LookUps:
    """Counts look-ups, and says whether there is room for one more."""

    def __init__(
        self, clock: Clock, *, a_minute: int = PEOPLE_A_MINUTE, burst: int = EACH_BURST
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._all = Window(calls=a_minute)
        self._each: dict[str, Bucket] = {}

    def take(self, user_id: str, *, is_approver: bool = False) -> bool:
        """Count a look-up for this person; False if there is no room for it."""
        now = self._clock.now()
        self._forget()
        each = self._each.setdefault(user_id, Bucket(every=EACH_EVERY, burst=self._burst))
        keep = 0 if is_approver else KEPT_FOR_APPROVERS
        if each.free_at() > now or self._all.free_at(now, keep=keep) > now:
            return False
        each.take(now)
        self._all.take(now)
        return True

    def _forget(self) -> None:
        """Drop people who have done nothing for a while."""
        if len(self._each) >= FORGET_AT:
            now = self._clock.now()
            self._each = {id: each for id, each in self._each.items() if not each.is_full(now)}
