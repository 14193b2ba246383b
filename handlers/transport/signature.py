"""Slack's signature: who sent a request, and how old it is. That it counts once is for storage.

docs.slack.dev/authentication/verifying-requests-from-slack. Bolt does the same, but answers 500 to
a timestamp that is no number, takes no notice of a replay, and prints bodies that are not signed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_sdk.signature import Clock, SignatureVerifier

OLDEST_SECONDS = 300
"""Maximum distance of a timestamp from now, either way: Slack's own advice."""

TIMESTAMP = re.compile(r"[0-9]{1,10}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class Unsigned(Exception):
    """The request is not to be believed; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The claims of a request's headers, well-formed and in time. Nothing is proven yet."""

    timestamp: str
    signature: str

    @property
    def expires_at(self) -> datetime:
        """When the signature stops being valid."""
        return datetime.fromtimestamp(int(self.timestamp) + OLDEST_SECONDS, UTC)


class Signatures:
    """Checks signatures made with one secret."""

    def __init__(self, secret: str, clock: Clock) -> None:
        """`clock` tells Unix seconds: real ones, because Slack stamps with real time."""
        self._verifier = SignatureVerifier(secret, clock)
        self._clock = clock

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def read(self, *, timestamp: str, signature: str) -> Signed:
        """Judge the headers, before anything of the body is read. Raises Unsigned."""
        if not TIMESTAMP.fullmatch(timestamp):
            raise Unsigned("no timestamp")
        if abs(self._clock.now() - int(timestamp)) > OLDEST_SECONDS:
            raise Unsigned("a timestamp that is too old or in the future")
        if not SIGNATURE.fullmatch(signature):
            raise Unsigned("no signature")
        return Signed(timestamp=timestamp, signature=signature)

    def verify(self, body: bytes | bytearray, claimed: Signed) -> str:
        """Return the body as text if the signature is of it. Raises Unsigned."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise Unsigned("a body that is not UTF-8") from None
        if not self._verifier.is_valid(text, claimed.timestamp, claimed.signature):
            raise Unsigned("a wrong signature")
        return text
