"""Recent answers of Slack: a bounded cache of a few minutes.

Accounts and groups can change at any time: nothing here is ever older than
`REMEMBERED`, counted from the question.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from cachetools import TLRUCache

from graph.clock import Clock

T = TypeVar("T")

REMEMBERED = timedelta(minutes=5)
MOST = 2000
"""How many answers are kept; those that were used longest ago make room."""

TtlCache = TLRUCache[str, tuple[datetime, T], datetime]
"""The time of the question and the answer, by key."""


def recent(clock: Clock) -> TtlCache[T]:
    return TLRUCache(MOST, lambda _, answer, __: answer[0] + REMEMBERED, timer=clock.now)
