"""The words for history events."""

from bot.domain.approval_requests import RequestKind
from bot.domain.events import REQUEST_EVENTS, Event, event
from handlers.views.history import WORDS


def test_every_event_has_words_for_people() -> None:
    requests = [kind for kind in RequestKind if kind is not RequestKind.PLAN]
    of_requests = {event(kind, what) for kind in requests for what in REQUEST_EVENTS}
    assert set(WORDS) == set(Event) | of_requests
    assert len(of_requests) == 18
    assert all(WORDS.values())
