"""A post whose answer was lost is known again by its metadata, if the bot has posted it."""

from typing import Any

import pytest

from handlers.outbox.outcomes import is_copy, metadata_of
from tests.support.factories import values_message

BOT = "B0AADSETUP"
VALUES = values_message("values")
OURS = {"bot_id": BOT, "metadata": metadata_of(VALUES)}


def test_the_bot_s_own_post_is_found_again() -> None:
    assert is_copy(OURS, VALUES, bot_id=BOT)


@pytest.mark.parametrize(
    "change",
    [
        {"bot_id": "B0OTHER"},
        {"bot_id": None, "user": "U0ROSA"},
        {"metadata": None},
        {"metadata": metadata_of(values_message("another"))},
        {"metadata": {**metadata_of(VALUES), "event_type": "other"}},
    ],
)
def test_what_another_has_posted_is_no_copy(change: dict[str, Any]) -> None:
    assert not is_copy({**OURS, **change}, VALUES, bot_id=BOT)
