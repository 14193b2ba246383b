"""Slack's signature: what is accepted, and what is not."""

import time

import pytest
from slack_sdk.signature import SignatureVerifier

from handlers.intake.signature import Signatures, Unsigned

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b"command=%2Faad-setup&text=help"
NOW = 1531420618


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def sign(stamp: object, body: bytes = BODY, secret: str = SECRET) -> str:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(stamp), body=body)
    assert signature is not None
    return signature


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signatures(clock: Clock) -> Signatures:
    return Signatures(SECRET, now=clock)


def test_slacks_own_example_is_accepted() -> None:
    """docs.slack.dev/authentication/verifying-requests-from-slack"""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
        b".803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    Signatures(SECRET, now=lambda: NOW + 1.0).accept(
        body, timestamp="1531420618", signature=signature
    )


@pytest.mark.parametrize("ago", [-300, 0, 300])
def test_five_minutes_either_way_are_accepted(signatures: Signatures, ago: int) -> None:
    signatures.accept(BODY, timestamp=str(NOW - ago), signature=sign(NOW - ago))


@pytest.mark.parametrize("ago", [-301, 301, NOW])
def test_what_is_older_or_from_the_future_is_not(signatures: Signatures, ago: int) -> None:
    with pytest.raises(Unsigned, match="too old or in the future"):
        signatures.accept(BODY, timestamp=str(NOW - ago), signature=sign(NOW - ago))


@pytest.mark.parametrize(
    "stamp", ["", "soon", "1e9", "-1", f" {NOW}", f"{NOW}.0", "\u00b2", "\u0661", "9" * 5000]
)
def test_a_timestamp_is_a_number(signatures: Signatures, stamp: str) -> None:
    with pytest.raises(Unsigned, match="no timestamp"):
        signatures.accept(BODY, timestamp=stamp, signature=sign(stamp))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v0=",
        sign(NOW, b"another"),
        sign(NOW, secret="another"),
        sign(NOW).upper(),
        "v0=é\udcff",
    ],
)
def test_a_signature_is_of_this_body_by_this_secret(signatures: Signatures, signature: str) -> None:
    with pytest.raises(Unsigned, match="a wrong signature"):
        signatures.accept(BODY, timestamp=str(NOW), signature=signature)


def test_a_signature_is_accepted_once_as_long_as_it_would_be(
    signatures: Signatures, clock: Clock
) -> None:
    stamp = NOW + 300  # a clock of Slack's that is ahead keeps it valid for ten minutes
    signatures.accept(BODY, timestamp=str(stamp), signature=sign(stamp))
    for later in (0, 61, 299, 539, 600):
        clock.now = NOW + later
        with pytest.raises(Unsigned, match="used before"):
            signatures.accept(BODY, timestamp=str(stamp), signature=sign(stamp))
    clock.now = NOW + 601
    with pytest.raises(Unsigned, match="too old"):
        signatures.accept(BODY, timestamp=str(stamp), signature=sign(stamp))


def test_one_that_was_forgotten_may_come_again(signatures: Signatures) -> None:
    for _ in range(2):
        signatures.accept(BODY, timestamp=str(NOW), signature=sign(NOW))
        signatures.forget(sign(NOW))


def test_what_is_remembered_does_not_grow_for_ever(signatures: Signatures, clock: Clock) -> None:
    for second in range(0, 3600, 10):
        clock.now = NOW + second
        signatures.accept(BODY, timestamp=str(NOW + second), signature=sign(NOW + second))
    assert len(signatures._accepted) < 50


def test_an_empty_secret_is_a_bug_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        Signatures("", now=time.time)
