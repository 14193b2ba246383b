"""The words for history events."""

from bot.domain.events import Event
from handlers.views.history import WORDS


def test_every_event_has_words_for_people() -> None:
    assert set(WORDS) == set(Event)
    assert all(WORDS.values())
