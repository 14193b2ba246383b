"""Ids, tokens and message timestamps, all from one seeded source so that a run can be repeated."""

from datetime import datetime
from random import Random

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Ids:
    """Hands out what Slack would: ids like U7K2M0P3XQ4 and timestamps that never repeat."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._last_stamp = 0

    def new(self, prefix: str, length: int = 10) -> str:
        return prefix + "".join(self._rng.choices(LETTERS, k=length))

    def secret(self, prefix: str) -> str:
        return prefix + "".join(self._rng.choices(LETTERS.lower(), k=24))

    def stamp(self, now: datetime) -> str:
        """Return a message `ts`: seconds, dot, six digits; unique and rising in the workspace."""
        micros = round(now.timestamp() * 1_000_000)
        self._last_stamp = max(micros, self._last_stamp + 1)
        return f"{self._last_stamp // 1_000_000}.{self._last_stamp % 1_000_000:06}"
