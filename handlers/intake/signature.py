"""Slack's signature: who sent a request, how old it is, and that it comes once.

docs.slack.dev/authentication/verifying-requests-from-slack. Bolt answers 500 to a timestamp that
is no number, takes no notice of a replay, and prints bodies that are not signed.
"""

import hashlib
import hmac
from collections.abc import Callable

OLDEST_SECONDS = 300
"""How far a timestamp may be from now, either way: Slack's own advice."""


class Unsigned(Exception):
    """The request is not to be believed; the text says why, and quotes nothing of it."""


class Signatures:
    """Checks signatures made with one secret, and remembers those that it has accepted.

    Each replica remembers its own; what comes twice all the same is decided by the database.
    """

    def __init__(self, secret: str, *, now: Callable[[], float]) -> None:
        """`now` tells Unix seconds: real ones, because Slack stamps with real time."""
        if not secret:
            raise ValueError("an empty signing secret")
        self._secret = secret.encode()
        self._now = now
        self._accepted: dict[str, float] = {}
        self._forget_at = 0.0

    def accept(self, body: bytes, *, timestamp: str, signature: str) -> None:
        """Accept this signature of this body, once. Raises Unsigned."""
        now = self._now()
        if not (
            timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("9999999999")
        ):
            raise Unsigned("no timestamp")
        if abs(now - int(timestamp)) > OLDEST_SECONDS:
            raise Unsigned("a timestamp that is too old or in the future")
        expected = self._sign(body, timestamp)
        # As bytes: compare_digest refuses text beyond ASCII.
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise Unsigned("a wrong signature")
        self._forget_old(now)
        if expected in self._accepted:
            raise Unsigned("a signature that was used before")
        self._accepted[expected] = float(timestamp) + OLDEST_SECONDS

    def forget(self, signature: str) -> None:
        """Let it be used again: its request was not taken, and Slack may repeat it at once."""
        self._accepted.pop(signature, None)

    def _sign(self, body: bytes, timestamp: str) -> str:
        signed = b":".join((b"v0", timestamp.encode(), body))
        return "v0=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest()

    def _forget_old(self, now: float) -> None:
        """Forget what is too old to be accepted anyway, at most once a minute."""
        if now < self._forget_at:
            return
        self._accepted = {it: until for it, until in self._accepted.items() if until >= now}
        self._forget_at = now + 60
