"""The shortest word on a secret's life wins, and it is known whose word that is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.app_policy import MEND, Policy, Restrictions, judge, parse_duration
from graph.calls import Json
from graph.plan import limit
from tests.support.graph_fakes import wish

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "profile", "tenant", "expected"),
    [
        (90, 180, None, (90, "requester")),
        (365, 180, None, (180, "profile")),
        (365, 180, 90, (89, "tenant")),
        (30, 180, 90, (30, "requester")),
        (89, 180, 90, (89, "requester")),
        (180, 180, 365, (180, "requester")),
    ],
)
def test_the_shortest_wins(
    asked: int, profile: int, tenant: int | None, expected: tuple[int, str]
) -> None:
    longest = None if tenant is None else timedelta(days=tenant)
    asking = wish(secret_days=asked, profile_days=profile)
    assert limit(asking, longest) == expected


@pytest.mark.parametrize(
    ("text", "days"),
    [("P90D", 90), ("P365DT0H0M0S", 365), ("P1Y", 365), ("P6M", 180), ("P2W", 14), ("PT36H", 1)],
)
def test_durations_are_read(text: str, days: int) -> None:
    assert parse_duration(text).days == days


def test_a_duration_that_is_none_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_duration("90 days")


def restriction(kind: str, **changes: Any) -> Json:
    usual = {
        "restrictionType": kind,
        "state": "enabled",
        "maxLifetime": None,
        "restrictForAppsCreatedAfterDateTime": "2024-01-01T10:37:00Z",
    }
    return {**usual, **changes}


def policy(*restrictions: Json) -> Json:
    return {
        "isEnabled": True,
        "applicationRestrictions": {"passwordCredentials": list(restrictions)},
    }


BAN = restriction("passwordAddition")
BANNED = (
    f"The tenant's policy does not allow client secrets for new applications. To continue, {MEND}."
)
UNREAD = (
    "The bot cannot read the tenant's policy on applications, which may refuse a plan or its"
    " secret. Not told."
)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (policy(BAN), Restrictions(refusals=(BANNED,))),
        ({**policy(BAN), "isEnabled": False}, Restrictions()),
        (policy({**BAN, "state": "disabled"}), Restrictions()),
        (
            policy({**BAN, "restrictForAppsCreatedAfterDateTime": "2026-07-01T00:00:00Z"}),
            Restrictions(),
        ),
        (policy(restriction("customPasswordAddition")), Restrictions()),  # of chosen secrets
        (None, Restrictions(doubts=(UNREAD,))),  # and is not taken for none
        (
            policy(*(restriction("passwordLifetime", maxLifetime=it) for it in ("P180D", "P90D"))),
            Restrictions(longest_secret=timedelta(days=90)),
        ),
    ],
)
def test_what_a_policy_says_of_our_secrets(told: Json | None, expected: Restrictions) -> None:
    assert judge(Policy(told=told, why_unread="Not told."), redirect=None, now=NOW) == expected
