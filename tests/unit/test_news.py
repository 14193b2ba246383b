"""The message that notifies the requester: who, why, and the buttons that answer it."""

from dataclasses import replace

import pytest

from bot.domain.approval_requests import Quorum, Vote
from bot.domain.registration import Registration, Status
from bot.domain.runs import Failure
from handlers.views import ids, notices
from tests.support.factories import GRACE, NOON, registration

FAILURE = Failure(
    step="Make the client secret", sentence="A right is missing.", advice="Ask, then retry."
)
STEP = "at “Make the client secret”: A right is missing. Ask, then retry."
DENIED = Vote(person=GRACE, verdict="deny", at=NOON, digest="d")


def told(found: Registration) -> str:
    return str(notices.news(found, None, Quorum(needed=1)))


def test_a_denial_names_the_approver_and_the_reason_and_can_be_answered() -> None:
    denied = replace(registration(Status.DENIED, votes=(DENIED,)), reasons=("Not *now*",))
    assert f"<@{GRACE.user_id}> denied *AAD-7K3F* (billing): “Not ∗now∗”." in told(denied)
    assert ids.AGAIN in told(denied)
    spoken, _ = notices.news(denied, None, Quorum(needed=1))
    assert spoken.startswith(f"{GRACE.name} denied AAD-7K3F")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FAILED, f"failed {STEP}"),
        (Status.REVOKING, f"is not revoked yet: it stopped {STEP}"),
        (Status.APPROVED, "is being set up"),
    ],
)
def test_a_failure_names_the_step_and_what_to_do(status: Status, words: str) -> None:
    failed = replace(registration(status), failure=FAILURE)
    assert words in told(failed)
    assert (f"'action_id': '{ids.RETRY}'" in told(failed)) is (status is Status.FAILED)
