"""What is judged an orphan, and what of it the bot removes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.worker.orphans import Orphan, judged
from graph.orphans import HeldSecret, TaggedApplication
from tests.support.factories import NOON, registration

KEY = "a key that nobody else has"
MARKED = TaggedApplication(
    id="object",
    app_id="app",
    name="billing",
    key=KEY,
    created_by="bot",
    registration="AAD-7K3F",
    is_complete=True,
    held=tuple(
        HeldSecret(key_id=key_id, hint="", made_at=None, expires_at=None)
        for key_id in ("kept", "stray")
    ),
)


def _judged(
    registration: Registration, found: TaggedApplication = MARKED, **more: Any
) -> list[Orphan]:
    usual: dict[str, Any] = {"kept": frozenset(), "was_made": False, "client_id": "bot"}
    return list(judged(found, registration, **{**usual, **more}, now=NOON))


@pytest.mark.parametrize(
    ("changes", "removed_by"),
    [
        ({}, RunKind.UNDO),
        ({"created_by": "somebody else"}, None),
        ({"created_by": None}, None),
        ({"is_complete": False}, None),
        ({"key": None}, None),
        ({"key": "another key"}, None),
    ],
    ids=str,
)
def test_only_key_tags_and_creator_together_prove_that_it_is_ours(
    changes: dict[str, Any], removed_by: RunKind | None
) -> None:
    undone = replace(registration(Status.UNDONE), key=KEY)
    (orphan,) = _judged(undone, replace(MARKED, **changes))
    assert orphan.removed_by == removed_by


def test_a_registration_at_work_answers_for_all_it_has_made() -> None:
    for status in Status:
        busy = replace(registration(status), key=KEY, run=RunKind.REGISTER)
        assert not _judged(busy), status
    late = replace(registration(Status.REVOKING), key=KEY, deadline=NOON)
    assert not _judged(late, was_made=True)


def test_a_failure_keeps_its_application_until_the_time_for_a_retry_is_over() -> None:
    late = replace(registration(Status.FAILED), key=KEY, deadline=NOON)
    early = replace(late, deadline=NOON + timedelta(minutes=1))
    bare = replace(MARKED, held=())
    assert not _judged(early, bare)
    (orphan,) = _judged(late, bare)
    assert (orphan.removed_by, orphan.why) == (RunKind.UNDO, "its registration is failed")


def test_an_application_that_was_never_approved_is_reported_only() -> None:
    for status in "pending", "refused", "denied", "cancelled", "expired":
        (orphan,) = _judged(replace(registration(Status(status)), key=KEY))
        assert orphan.removed_by is None, status


def test_what_was_taken_back_and_is_there_is_left_to_whoever_has_restored_it() -> None:
    for status in Status.UNDONE, Status.REVOKED:
        (orphan,) = _judged(replace(registration(status), key=KEY), was_made=True)
        assert (orphan.key_id, orphan.removed_by) == (None, None)
        assert orphan.why == "it was removed, and then restored in Entra"


def test_a_secret_of_an_application_that_its_registration_did_not_make_is_reported_only() -> None:
    for made, removed_by in (("object", RunKind.REMOVE_STRAY), ("another object", None)):
        ready = replace(registration(), key=KEY, facts={"application": {"object_id": made}})
        kept = frozenset({"kept"})
        (orphan,) = _judged(ready, kept=kept)
        assert (orphan.key_id, orphan.removed_by) == ("stray", removed_by)
