"""The card: a registration as its approvers and its requester see it.

A card is a drawing of the database, never its source. It is redrawn whole at each change.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from slack_sdk.models.blocks import Block

from bot.approval.quorum import Quorum
from bot.domain.approval_requests import RequestKind
from bot.domain.catalogue import Profile
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.planning.plan_text import plan_paragraphs
from graph.plan import Plan
from handlers.views import drift, revocation
from handlers.views.blocks import (
    Blocks,
    SlackPen,
    actions,
    clipped,
    context,
    drawn,
    escaped,
    header,
    person,
    section,
    when,
)
from handlers.views.card_buttons import STUCK, approver_buttons, requester_buttons
from handlers.views.card_outcome import (
    outcome_blocks,
)
from handlers.views.steps import Drawing, steps

HEADLINES: Mapping[Status, str] = {
    Status.PLANNING: "is being checked against the tenant",
    Status.REFUSED: "can't be created",
    Status.PENDING: "waits for approval",
    Status.DENIED: "was denied",
    Status.CANCELLED: "was cancelled",
    Status.EXPIRED: "expired without a decision",
    Status.APPROVED: "is being set up",
    Status.FAILED: "failed",
    Status.READY: "is ready",
    Status.UNDONE: "was undone",
    Status.REVOKING: "is being revoked",
    Status.REVOKED: "was revoked",
}


UNDECIDED = (Status.PLANNING, Status.PENDING)
NEVER_APPROVED = (Status.DENIED, Status.CANCELLED, Status.EXPIRED)


DEFAULT = Drawing()


class HasStatus(Protocol):
    """What a headline is about: a registration, or its line in a list."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> Status: ...

    @property
    def run(self) -> RunKind | None: ...

    @property
    def has_expired(self) -> bool: ...


def headline(registration: HasStatus) -> str:
    """Return one sentence on where it stands."""
    status, run = registration.status, registration.run
    other = revocation.headline(status, run)
    if registration.has_expired and other is None:
        return f"{registration.id}: secret expired"
    return f"{registration.id} {other or HEADLINES[status]}"


def spoken(registration: Registration, profile: Profile) -> str:
    """Return the card in a breath, as notifications and screen readers say it: how it stands,
    whose it is, what for. Names are written out, because to mention somebody would call them.
    """
    who, name = escaped(registration.requester.name), escaped(registration.form.name)
    asks = _asks(registration)
    words = f"{headline(registration)}. {who} {asks} for the application {name}, {profile.title}."
    if registration.failure is not None and registration.status in STUCK:
        words += f" {escaped(registration.failure.sentence)}"
    return clipped(words)


def card(
    registration: Registration, profile: Profile, *, quorum: Quorum, drawing: Drawing = DEFAULT
) -> Blocks:
    """Return the card for the approval channel, with Approve and Deny while it waits.

    The plan is read before the buttons that decide on it. From then on what came of it matters
    more, and the plan stands below as what was decided on.
    """
    top = [header(headline(registration)), *_wish(registration, profile)]
    plan = list(_plan(registration, profile))
    outcome = [
        *outcome_blocks(registration, quorum),
        *drift.details(registration),
        *steps(registration, drawing),
    ]
    context, buttons = list(_context(registration)), approver_buttons(registration)
    if registration.status in UNDECIDED:
        return drawn([*top, *plan, *outcome, *context, *buttons])
    return drawn([*top, *outcome, *buttons, *plan, *context])


def progress(
    registration: Registration, profile: Profile, *, quorum: Quorum, drawing: Drawing = DEFAULT
) -> Blocks:
    """Return the requester's own card, shorter, with what the requester can do."""
    return drawn(
        [
            header(headline(registration)),
            *_taken_over(registration),
            *_wish(registration, profile),
            *outcome_blocks(registration, quorum, is_theirs=True),
            *drift.details(registration),
            *steps(registration, drawing),
            *_context(registration),
            *actions(requester_buttons(registration)),
        ]
    )


def _taken_over(registration: Registration) -> Iterator[Block]:
    """Tell the requester that the registration is theirs since a handover, and whose it was."""
    if registration.previous_requesters:
        before = person(registration.previous_requesters[-1])
        named = f"*{registration.id}* ({escaped(registration.form.name)})"
        yield section(f"You now own {named}, handed over from {before}.")


def waiting(registration: Registration, profile: Profile, *, quorum: Quorum) -> Blocks:
    """Return the card for an approver's App Home, where Slack draws no plan block."""
    return card(registration, profile, quorum=quorum, drawing=Drawing(plain=True))


def status(
    registration: Registration,
    profile: Profile,
    *,
    quorum: Quorum,
    in_full: bool,
    drawing: Drawing = DEFAULT,
) -> Blocks:
    """Return what anybody may know, without buttons; why it ended only for whom that concerns."""
    return drawn(
        [
            section(f"*{headline(registration)}*"),
            *_wish(registration, profile),
            *outcome_blocks(registration, quorum, in_full=in_full),
            *steps(registration, drawing),
            context(" · ".join(_times(registration))),
        ]
    )


def passed_on(registration: Registration) -> Blocks:
    """Return the card of somebody who was the requester once."""
    now = f"{person(registration.requester)} is the requester of *{registration.id}* now."
    return drawn([section(now)])


def least(registration: Registration) -> str:
    """Return the least view, for a thread that a whole channel reads."""
    # By name: a mention would notify the requester each time that somebody asks.
    name = escaped(registration.requester.name) or "somebody"
    asked = f"asked for by {name} {when(registration.created_at)}"
    return f"*{headline(registration)}* · {asked}"


def _wish(registration: Registration, profile: Profile) -> Iterator[Block]:
    form = registration.form
    yield section(
        f"{person(registration.requester)} {_asks(registration)} for the application"
        f" *{escaped(form.name)}* · {profile.title}"
    )
    # In a section of its own: escapes may make it five times as long.
    yield section("\n".join(f">{escaped(line)}" for line in form.reason.splitlines()))


def _asks(registration: Registration) -> str:
    return "asks" if registration.status in UNDECIDED else "asked"


def _plan(registration: Registration, profile: Profile) -> Iterator[Block]:
    if registration.plan is None:
        return
    plan = Plan.from_json(dict(registration.plan))
    words = plan_paragraphs(
        plan,
        profile,
        registration.form,
        SlackPen(),
        asked_at=registration.created_at,
        title=_plan_title(registration.status),
        is_decided=registration.status not in UNDECIDED,
    )
    yield from (section(paragraph) for paragraph in words)


def _plan_title(status: Status) -> str:
    if status in UNDECIDED:
        return "What would be created"
    if status in NEVER_APPROVED:
        return "What would have been created"
    return "What was approved"


def _context(registration: Registration) -> Iterator[Block]:
    asked, *expires = _times(registration)
    plan = [f"plan `{registration.digest[:16]}`"] if registration.digest is not None else []
    yield context(" · ".join([f"`{registration.id}`", asked, *plan, *expires]))


def _times(registration: Registration) -> Iterator[str]:
    """Yield when it was asked and, while it waits, when it expires."""
    yield f"asked {when(registration.created_at)}"
    plan = registration.waiting(RequestKind.PLAN)
    if plan is not None and plan.expires_at is not None:
        yield f"expires {when(plan.expires_at)}"
