"""Slack's signature: what is accepted, and what is not."""

import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from handlers.transport.http import Signatures, Unsigned

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b"command=%2Faad-setup&text=help"
NOW = 1531420618


class SetClock(Clock):
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = float(NOW)

    def now(self) -> float:
        return self.seconds


def sign(stamp: object, body: bytes = BODY, secret: str = SECRET) -> str:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(stamp), body=body)
    assert signature is not None
    return signature


def check(signatures: Signatures, body: bytes, *, timestamp: str, signature: str) -> None:
    signatures.verify(body, signatures.read(timestamp=timestamp, signature=signature))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def signatures(clock: SetClock) -> Signatures:
    return Signatures(SECRET, clock)


def test_slacks_own_example_is_accepted(signatures: Signatures) -> None:
    """docs.slack.dev/authentication/verifying-requests-from-slack"""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
        b".803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    check(signatures, body, timestamp="1531420618", signature=signature)


@pytest.mark.parametrize("ago", [-300, 0, 300])
def test_five_minutes_either_way_are_accepted(signatures: Signatures, ago: int) -> None:
    check(signatures, BODY, timestamp=str(NOW - ago), signature=sign(NOW - ago))


@pytest.mark.parametrize("ago", [-301, 301, NOW])
def test_what_is_older_or_from_the_future_is_not(signatures: Signatures, ago: int) -> None:
    with pytest.raises(Unsigned, match="too old or in the future"):
        check(signatures, BODY, timestamp=str(NOW - ago), signature=sign(NOW - ago))


@pytest.mark.parametrize(
    "stamp", ["", "soon", "1e9", "-1", f" {NOW}", f"{NOW}.0", "\u00b2", "\u0661", "9" * 5000]
)
def test_a_timestamp_is_a_number(signatures: Signatures, stamp: str) -> None:
    with pytest.raises(Unsigned, match="no timestamp"):
        check(signatures, BODY, timestamp=stamp, signature=sign(stamp))


@pytest.mark.parametrize(
    "signature", ["", "v0=", "v1" + sign(NOW)[2:], sign(NOW).upper(), "v0=é\udcff", sign(NOW) + "0"]
)
def test_a_signature_has_one_form(signatures: Signatures, signature: str) -> None:
    with pytest.raises(Unsigned, match="no signature"):
        signatures.read(timestamp=str(NOW), signature=signature)


@pytest.mark.parametrize("signature", [sign(NOW, b"another"), sign(NOW, secret="another")])
def test_a_signature_is_of_this_body_by_this_secret(signatures: Signatures, signature: str) -> None:
    with pytest.raises(Unsigned, match="a wrong signature"):
        check(signatures, BODY, timestamp=str(NOW), signature=signature)


def test_a_body_that_is_no_text_is_not_signed(signatures: Signatures) -> None:
    claimed = signatures.read(timestamp=str(NOW), signature=sign(NOW))
    with pytest.raises(Unsigned, match="UTF-8"):
        signatures.verify(b"\xff\xfe", claimed)


def test_it_expires_when_its_timestamp_is_too_old(signatures: Signatures, clock: SetClock) -> None:
    stamp = NOW + 300  # a clock of Slack's that is ahead keeps it valid for ten minutes
    claimed = signatures.read(timestamp=str(stamp), signature=sign(stamp))
    clock.seconds = NOW + 600
    assert claimed.expires_at == signatures.now
    assert signatures.read(timestamp=str(stamp), signature=sign(stamp)) == claimed
    clock.seconds = NOW + 601
    with pytest.raises(Unsigned, match="too old"):
        signatures.read(timestamp=str(stamp), signature=sign(stamp))


def test_an_empty_secret_is_a_bug_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        Signatures("", Clock())
