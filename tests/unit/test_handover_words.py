"""What approvers read before they confirm a handover: what the former requester goes on knowing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.registration import Registration
from bot.domain.secrets import Secret
from handlers.views import requests
from handlers.views.ui import when
from tests.support.factories import BEN, GRACE, NOON, ROSA, asked, registration, secret
from tests.support.secret_lives import SecretLife

OVER = NOON + timedelta(days=7)
NEW = "works until its new requester presses *Make a new one*."
TO = {"team_id": BEN.team_id, "user_id": BEN.user_id, "name": BEN.name}
OFFER = asked(RequestKind.HANDOVER, payload={"to": TO})
LONGER = (
    "and longer if a new one is made before that. `/aad-setup retire AAD-7K3F` ends it at once."
)


def offered(newest: Secret, *others: Secret) -> Registration:
    """Return a registration that Rosa is to hand over to Ben."""
    return replace(registration(secret=newest), other_secrets=others, requests=(OFFER,))


def previous(state: SecretLife, *, retires: bool) -> Secret:
    made_at = NOON - timedelta(days=30)
    return replace(secret(state), id="s0", made_at=made_at, remove_at=OVER if retires else None)


def warnings(waiting: Registration) -> list[str]:
    _, blocks = requests.request(waiting, Quorum(needed=1), id="r1")
    texts = [it["elements"][0]["text"] for it in blocks if it["type"] == "context"]
    return [text for text in texts if "secret" in text]


def test_of_two_secrets_that_were_seen_both_are_told_of_and_how_each_ends() -> None:
    both = offered(secret(SecretLife.MASKED), previous(SecretLife.MASKED, retires=True))
    assert warnings(both) == [
        f"The secret was shown to <@U0ROSA>, and {NEW}",
        f"The previous secret was shown to <@U0ROSA>, and works until {when(OVER)}, {LONGER}",
    ]


def test_a_secret_in_use_is_told_of_although_a_new_one_waits_unseen() -> None:
    waiting = offered(secret(SecretLife.SEALED), previous(SecretLife.UNMASKED, retires=False))
    assert warnings(waiting) == [
        "The previous secret was shown to <@U0ROSA>, and works until the new one was seen, and for"
        " 7 days after that. Once it was seen, `/aad-setup retire AAD-7K3F` ends it at once."
    ]


@pytest.mark.parametrize("state", [SecretLife.UNKNOWN, SecretLife.CLAIMED])
def test_what_nobody_knows_is_not_said_to_be_so(state: SecretLife) -> None:
    assert warnings(offered(secret(state))) == [
        f"The secret may have been shown to <@U0ROSA>, and {NEW}"
    ]


def test_who_was_the_requester_before_may_be_who_has_seen_it() -> None:
    again = replace(
        offered(secret(SecretLife.MASKED)), requester=GRACE, previous_requesters=(ROSA, GRACE)
    )
    assert warnings(again) == [f"The secret was shown to <@U0ROSA> or <@U0GRACE>, and {NEW}"]


def test_of_what_nobody_has_seen_or_works_no_more_nothing_is_told() -> None:
    gone = (SecretLife.SEALED, SecretLife.CLOSED, SecretLife.REMOVED, SecretLife.REPLACED)
    others = [previous(state, retires=True) for state in gone]
    assert warnings(offered(secret(SecretLife.SEALED), *others)) == []
