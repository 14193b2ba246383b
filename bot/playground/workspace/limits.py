"""How often something may be done: so many times in a window, or steadily with a short burst."""

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


class Limit(Protocol):
    """Something that can be asked to allow one more."""

    def retry_after(self, now: datetime) -> int | None:
        """Count one; return the whole seconds to wait if it is one too many."""


@dataclass(kw_only=True)
class Window:
    """So many in any window of this length. What is refused does not count."""

    calls: int
    window: timedelta
    seen: deque[datetime] = field(default_factory=deque)

    def retry_after(self, now: datetime) -> int | None:
        while self.seen and now - self.seen[0] >= self.window:
            self.seen.popleft()
        if len(self.seen) >= self.calls:
            return max(1, math.ceil((self.seen[0] + self.window - now).total_seconds()))
        self.seen.append(now)
        return None


@dataclass(kw_only=True)
class Bucket:
    """One every so often, and so many at once after a pause."""

    every: timedelta
    burst: int
    _spent: float = 0.0
    _last: datetime | None = None

    def retry_after(self, now: datetime) -> int | None:
        back = (now - self._last) / self.every if self._last else 0.0
        self._spent, self._last = max(0.0, self._spent - back), now
        if self._spent + 1 > self.burst:
            wait = (self._spent + 1 - self.burst) * self.every.total_seconds()
            return max(1, math.ceil(wait))
        self._spent += 1
        return None
