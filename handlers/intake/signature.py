"""Slack's signature: who sent a request, and how old it is. That it counts once is for storage.

docs.slack.dev/authentication/verifying-requests-from-slack. Bolt answers 500 to a timestamp that
is no number, takes no notice of a replay, and prints bodies that are not signed.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

OLDEST_SECONDS = 300
"""How far a timestamp may be from now, either way: Slack's own advice."""

TIMESTAMP = re.compile(r"[0-9]{1,10}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class Unsigned(Exception):
    """The request is not to be believed; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What the headers of a request claim, in the right form and in time. Nothing is proven yet."""

    timestamp: str
    signature: str

    @property
    def expires_at(self) -> datetime:
        """When the signature stops being valid."""
        return datetime.fromtimestamp(int(self.timestamp) + OLDEST_SECONDS, UTC)


class Signatures:
    """Checks signatures made with one secret."""

    def __init__(self, secret: str, *, now: Callable[[], float]) -> None:
        """`now` tells Unix seconds: real ones, because Slack stamps with real time."""
        if not secret:
            raise ValueError("an empty signing secret")
        self._secret = secret.encode()
        self._now = now

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    def read(self, *, timestamp: str, signature: str) -> Signed:
        """Judge the headers, before anything of the body is read. Raises Unsigned."""
        if not TIMESTAMP.fullmatch(timestamp):
            raise Unsigned("no timestamp")
        if abs(self._now() - int(timestamp)) > OLDEST_SECONDS:
            raise Unsigned("a timestamp that is too old or in the future")
        if not SIGNATURE.fullmatch(signature):
            raise Unsigned("no signature")
        return Signed(timestamp=timestamp, signature=signature)

    def verify(self, body: bytes | bytearray, claimed: Signed) -> None:
        """Check that the signature is of this body. Raises Unsigned."""
        mac = hmac.new(self._secret, f"v0:{claimed.timestamp}:".encode(), hashlib.sha256)
        mac.update(body)
        if not hmac.compare_digest(f"v0={mac.hexdigest()}", claimed.signature):
            raise Unsigned("a wrong signature")
