"""When a secret is about to expire or has, and what the reminder says of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.events import Subject
from bot.domain.registration import Status
from bot.domain.secrets import Secret, Stage, reached, told_at
from handlers.views import ids
from handlers.views.notices import expiry
from tests.support.factories import NOON, registration, secret
from tests.support.secret_lives import SecretLife

DAY = timedelta(days=1)


def _living(**life: float) -> Secret:
    end = NOON + timedelta(**life)
    return replace(secret(SecretLife.MASKED), expires_at=end)


@pytest.mark.parametrize(
    ("days", "left"),
    [(365, [30, 7, 1, 0]), (60, [30, 7, 1, 0]), (40, [20, 5, 1, 0]), (8, [4, 1, 0.2, 0])],
)
def test_short_secrets_are_told_of_by_parts_of_their_life(days: int, left: list[float]) -> None:
    short = _living(days=days)
    moments = [told_at(short, stage) for stage in Stage]
    assert moments == [NOON + timedelta(days=days - each) for each in left]


def test_what_was_missed_has_been_reached() -> None:
    year = _living(days=365)
    now = NOON + timedelta(days=362)
    assert reached(year, now, since=Stage.MONTH) == (Stage.MONTH, Stage.WEEK)
    assert reached(year, now, since=Stage.DAY) == ()
    assert told_at(replace(year, expires_at=None), Stage.OVER) is None


def test_a_reminder_that_comes_late_says_that_it_was_seen_to() -> None:
    shown = secret(SecretLife.MASKED)
    in_use = registration(secret=shown)
    subject = Subject(secret="s1", stage=Stage.WEEK)
    assert ids.ROTATE in str(expiry(in_use, subject))
    followed = replace(in_use, secret=replace(secret(), id="s2"), other_secrets=(shown,))
    for other in (replace(in_use, status=Status.REVOKED), followed):
        drawn = str(expiry(other, subject))
        assert drawn == str(expiry(other, subject, also=""))
        assert "its secret was replaced or removed" in drawn
        assert "its secret was replaced or removed" in expiry(other, subject)[0]
        assert ids.ROTATE not in drawn


@pytest.mark.parametrize("state", [SecretLife.CLOSED, SecretLife.REMOVED, SecretLife.UNKNOWN])
def test_if_what_was_to_follow_is_lost_a_new_one_takes_no_rotation(state: SecretLife) -> None:
    in_use = secret(SecretLife.MASKED)
    newer = replace(secret(state), id="s3", made_at=NOON + DAY)
    both = replace(registration(secret=newer), other_secrets=(in_use,))
    subject = Subject(secret="s1", stage=Stage.WEEK)
    theirs, others = str(expiry(both, subject)), str(expiry(both, subject, also=""))
    assert "you press *Make a new one*, which takes no approval" in theirs
    assert f"`/aad-setup values {both.id}` has the button" in theirs
    assert "the requester presses *Make a new one*, which takes no approval" in others
    for drawn in (theirs, others):
        assert "rotate" not in drawn
        assert ids.REVOKE in drawn


def test_in_use_is_what_was_seen_last_and_does_not_retire() -> None:
    old = replace(secret(SecretLife.MASKED), id="s0", made_at=NOON - DAY)
    cases = [
        (SecretLife.SEALED, "s0"),
        (SecretLife.UNKNOWN, "s0"),
        (SecretLife.REMOVED, "s0"),
        (SecretLife.REPLACED, "s0"),
        (SecretLife.MASKED, "s1"),
        (SecretLife.UNMASKED, "s1"),
    ]
    for life, expected in cases:
        both = replace(registration(secret=secret(life)), other_secrets=(old,))
        assert both.secret_in_use is not None
        assert both.secret_in_use.id == expected
    alone = registration(secret=secret(SecretLife.UNKNOWN))
    assert alone.secret_in_use == alone.secret
    assert registration(secret=secret(SecretLife.SEALED)).secret_in_use is None
