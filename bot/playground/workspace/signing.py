"""Signatures of requests, as Slack makes them and as somebody else would.

docs.slack.dev/authentication/verifying-requests-from-slack
"""

from enum import StrEnum

from slack_sdk.signature import SignatureVerifier

OLD_SECONDS = 301
"""Just more than the five minutes that an app may let pass."""


class Forgery(StrEnum):
    """What is wrong with a request that is not Slack's, or is not new."""

    SIGNATURE = "signature"  # made with another secret
    AGE = "age"  # signed rightly, but too long ago
    FUTURE = "future"  # signed rightly, for a time that is far from come
    TIMESTAMP = "timestamp"  # signed rightly, for a time that is no number
    UNSIGNED = "unsigned"  # no headers at all


def signed(secret: str, body: str, forgery: Forgery | None = None) -> dict[str, str]:
    """Return the headers that sign this body.

    Apps compare the timestamp with their own real time, so the movable clock stays out.
    """
    if forgery is Forgery.UNSIGNED:
        return {}
    verifier = SignatureVerifier("another secret" if forgery is Forgery.SIGNATURE else secret)
    stamp = _stamp(int(verifier.clock.now()), forgery)
    signature = verifier.generate_signature(timestamp=stamp, body=body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature or ""}


def _stamp(now: int, forgery: Forgery | None) -> str:
    match forgery:
        case Forgery.AGE:
            return str(now - OLD_SECONDS)
        case Forgery.FUTURE:
            return str(now + OLD_SECONDS)
        case Forgery.TIMESTAMP:
            return "just now"
        case _:
            return str(now)
