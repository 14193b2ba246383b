"""The direct message that notifies the requester: who did it, why, and the next button."""

from collections.abc import Callable, Mapping

from bot.approval.quorum import Quorum
from bot.domain.events import Event
from bot.domain.people import Person
from bot.domain.registration import Registration, Status
from bot.storage.history import Entry
from handlers.views import approvers
from handlers.views.blocks import Blocks, actions, drawn, escaped, person, section
from handlers.views.card import headline
from handlers.views.card_buttons import requester_buttons

ANSWERABLE = (Status.REFUSED, Status.DENIED, Status.EXPIRED, Status.FAILED)
"""States that the requester can answer by a button: *Ask again*, *Retry*, *Undo*."""


def news_text(registration: Registration, latest: Entry | None, quorum: Quorum) -> str:
    """Return the news as notifications and screen readers say it: names are written out."""
    return _sentence(registration, latest, quorum, str, lambda it: escaped(it.name))


def news(registration: Registration, latest: Entry | None, quorum: Quorum) -> Blocks:
    """Return the news with the buttons that answer it. `latest` is the newest history entry."""
    words = _sentence(registration, latest, quorum, lambda text: f"*{text}*", person)
    is_answerable = registration.status in ANSWERABLE and registration.run is None
    buttons = requester_buttons(registration) if is_answerable else []
    return drawn([section(words), *actions(buttons)])


def _sentence(
    registration: Registration,
    latest: Entry | None,
    quorum: Quorum,
    strong: Callable[[str], str],
    who: Callable[[Person], str],
) -> str:
    named = f"{strong(registration.id)} ({escaped(registration.form.name)})"
    failure, status = registration.failure, registration.status
    reason = "\n".join(map(escaped, registration.reasons))
    if failure is not None and status in STOPPED:
        why = f"{STOPPED[status]} at “{failure.step}”: {failure.sentence} {failure.advice}"
        return f"{named} {escaped(why)}"
    match status:
        case Status.PENDING if latest is not None and latest.what in DECISIONS:
            done, count = DECISIONS[latest.what], approvers.missing(registration, quorum)
            return f"<@{latest.user_id}> {done} {named}: {count}."
        case Status.PENDING:
            return f"{strong(headline(registration))}: {approvers.missing(registration, quorum)}."
        case Status.DENIED:
            return f"{who(registration.votes[-1].person)} denied {named}: “{reason}”."
        case Status.REFUSED:
            return f"{named} can't be created:\n{reason}"
        case Status.EXPIRED:
            return f"{named} expired: no approver decided in time."
        case Status.REVOKING | Status.REVOKED if registration.revocation is not None:
            return f"{strong(headline(registration))} by {who(registration.revocation.by)}"
        case _:
            return strong(headline(registration))


STOPPED = {Status.FAILED: "failed", Status.REVOKING: "is not revoked yet: it stopped"}
DECISIONS: Mapping[str, str] = {
    Event.APPROVED: "approved",
    Event.WITHDRAWN: "withdrew their approval of",
}
"""History's words for a vote that leaves the plan waiting."""
