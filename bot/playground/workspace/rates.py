"""Slack's rate limits, per method, app and workspace: docs.slack.dev/apis/web-api/rate-limits.

Slack promises "50+ per minute" and the like; the stricter reading is that the 51st call in any
minute is refused. Time is the workspace's clock. Without `enforced` calls are only counted.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.playground.workspace.limits import Bucket, Limit, Window

MINUTE = timedelta(minutes=1)
PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls a minute of each tier."""

TIERS = {
    "auth.test": 4,  # "special": hundreds a minute; the last tier is the stricter reading
    "bots.info": 3,
    "chat.delete": 3,
    "chat.postEphemeral": 4,
    "chat.update": 3,
    "conversations.history": 3,  # for an app that a company installs for itself, as this one is
    "conversations.info": 3,
    "conversations.open": 3,
    "usergroups.users.list": 2,
    "users.info": 4,
    "views.open": 4,
    "views.publish": 4,
    "views.push": 4,
    "views.update": 4,
}
"""The documented tier of each method but the two below."""

POST = "chat.postMessage"
POST_BURST = 3
"""One message a second in each channel. "Short bursts" are allowed; how short is not said."""
POSTS_PER_MINUTE = 300
"""In the whole workspace: "several hundred" a minute."""

CONNECT = "apps.connections.open"
CONNECT_BURST = 10
"""Tier 1 by the SDK's comment, 3 by the method's page: the stricter one, but for as many calls at
once as an app may have connections."""


@dataclass(kw_only=True)
class Count:
    """When calls of one method were let through, and when they were refused."""

    allowed: list[datetime] = field(default_factory=list)
    refused: list[datetime] = field(default_factory=list)


class Rates:
    """Counts every call with a good token and, when enforced, refuses those that are too many."""

    def __init__(self, *, enforced: bool = False) -> None:
        self.enforced = enforced
        self._counts: defaultdict[str, Count] = defaultdict(Count)
        self._limits: dict[tuple[str, str], Limit] = {}

    def retry_after(self, method: str, place: str, now: datetime) -> int | None:
        """Count a call; return the seconds to wait if it is one too many.

        `place` is the conversation that a message is for; other methods do not look at it.
        """
        count = self._counts[method]
        wait = self._wait(method, place, now) if self.enforced else None
        (count.refused if wait else count.allowed).append(now)
        return wait

    def count(self, method: str) -> Count:
        return self._counts[method]

    def share(self, method: str, *, since: datetime, until: datetime) -> float:
        """Return which part of the allowed rate was used: 1.0 is all of it.

        The first burst of a tier comes on top of its rate, so that a short time can show more.
        """
        most = PER_MINUTE[TIERS[method]] * ((until - since) / MINUTE)
        return sum(since <= at <= until for at in self._counts[method].allowed) / most

    def clear(self) -> None:
        """Forget what was counted, and with it who must wait."""
        self._counts.clear()
        self._limits.clear()

    def _wait(self, method: str, place: str, now: datetime) -> int | None:
        if method == POST:
            return self._limit(POST, place).retry_after(now) or self._limit(POST).retry_after(now)
        return self._limit(method).retry_after(now)

    def _limit(self, method: str, place: str = "") -> Limit:
        key = (method, place)
        if key not in self._limits:
            self._limits[key] = _new(method, place)
        return self._limits[key]


def _new(method: str, place: str) -> Limit:
    match method:
        case "chat.postMessage":
            if place:
                return Bucket(every=timedelta(seconds=1), burst=POST_BURST)
            return Window(calls=POSTS_PER_MINUTE, window=MINUTE)
        case "apps.connections.open":
            return Bucket(every=MINUTE / PER_MINUTE[1], burst=CONNECT_BURST)
        case _:
            return Window(calls=PER_MINUTE[TIERS[method]], window=MINUTE)
