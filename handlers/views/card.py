"""The card: a registration as its approvers and its requester see it.

A card is a drawing of the database, never its source. It is redrawn whole at each change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.models.blocks import Block, PlanBlock, TaskCardBlock

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import Profile
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind, StepState
from bot.planning.plans import plan_paragraphs
from bot.storage.queries import ListLine
from graph.plan import Plan
from handlers.views import consent, ui
from handlers.views.buttons import approver_buttons, requester_buttons
from handlers.views.outcome import differences, outcome_blocks

HEADLINES: Mapping[Status, str] = {
    Status.PLANNING: "is being checked against the tenant",
    Status.REFUSED: "can't be created",
    Status.PENDING: "waits for approval",
    Status.DENIED: "was denied",
    Status.CANCELLED: "was cancelled",
    Status.EXPIRED: "expired without a decision",
    Status.APPROVED: "is being set up",
    Status.WAITING_FOR_CONSENT: "waits for an administrator's consent",
    Status.FAILED: "failed",
    Status.READY: "is ready",
    Status.UNDONE: "was undone",
    Status.REVOKING: "is being revoked",
    Status.REVOKED: "was revoked",
}


UNDECIDED = (Status.PLANNING, Status.PENDING)
NEVER_APPROVED = (Status.DENIED, Status.CANCELLED, Status.EXPIRED)
STUCK = (Status.PLANNING, Status.APPROVED, Status.FAILED, Status.REVOKING)
"""States in which it matters first of all why it does not go on."""

IN_WORDS: Mapping[str, str] = {
    "complete": "done",
    "in_progress": "at work",
    "pending": "to do",
    "error": "failed",
}
"""The words for the states of a step in Slack's plan block."""
REMOVED = (Status.UNDONE, Status.REVOKING, Status.REVOKED)
"""States in which the steps are no longer shown, because their objects are deleted."""
WITHOUT_STEPS = (*REMOVED, Status.WAITING_FOR_CONSENT)
"""While an administrator has to consent, the grants are listed instead."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a card shows beside its registration, and with which blocks."""

    profile: Profile
    quorum: Quorum
    expected: timedelta | None = None  # how long all steps usually take, if that is known
    plain: bool = False  # sections only, for clients and readers that plan blocks say nothing to
    consent_page: str = ""  # where an administrator consents


def headline(registration: Registration | ListLine) -> str:
    """Return one sentence on where a registration, or its line in a list, stands."""
    id, status, run = registration.id, registration.status, registration.run
    if run is RunKind.UNDO:
        return f"{id} is being undone"
    if run is RunKind.PURGE:
        return f"{id} is being deleted for good"
    if status is Status.REVOKING and run is None:
        return f"{id} is not revoked yet"
    return f"{id}: secret expired" if registration.has_expired else f"{id} {HEADLINES[status]}"


def card(registration: Registration, drawing: Drawing) -> ui.Notice:
    """Return the card for the approval channel, with Approve and Deny while it waits.

    The plan is read before the buttons that decide on it. After the decision the outcome matters
    more, and the approved plan stands below it.
    """
    top = [ui.header(headline(registration)), *_wish(registration, drawing.profile)]
    plan = list(_plan(registration, drawing.profile))
    outcome = [
        *outcome_blocks(registration, drawing.quorum),
        *consent.awaited(registration, drawing.consent_page),
        *consent.given(registration),
        *differences(registration),
        *steps(registration, drawing),
    ]
    about, buttons = _context(registration), approver_buttons(registration)
    blocks = [*top, *outcome, *buttons, *plan, about]
    if registration.status in UNDECIDED:
        blocks = [*top, *plan, *outcome, about, *buttons]
    return _spoken(registration, drawing.profile), ui.drawn(blocks)


def progress(registration: Registration, drawing: Drawing) -> ui.Notice:
    """Return the requester's own card, shorter, with their actions."""
    return _spoken(registration, drawing.profile), ui.drawn(
        [
            ui.header(headline(registration)),
            *_taken_over(registration),
            *_wish(registration, drawing.profile),
            *outcome_blocks(registration, drawing.quorum, is_theirs=True),
            *consent.awaited(registration, drawing.consent_page),
            *differences(registration),
            *steps(registration, drawing),
            _context(registration),
            *ui.actions(requester_buttons(registration)),
        ]
    )


def status(registration: Registration, drawing: Drawing, *, in_full: bool) -> ui.Notice:
    """Return the public view, without buttons; why it ended only for people whom it concerns."""
    return _spoken(registration, drawing.profile), ui.drawn(
        [
            ui.section(f"*{headline(registration)}*"),
            *_wish(registration, drawing.profile),
            *outcome_blocks(registration, drawing.quorum, in_full=in_full),
            *consent.awaited(registration, drawing.consent_page),
            *steps(registration, drawing),
            ui.context(" · ".join(_times(registration))),
        ]
    )


def passed_on(registration: Registration, profile: Profile) -> ui.Notice:
    """Return the card of a former requester."""
    now = f"{ui.person(registration.requester)} is the requester of *{registration.id}* now."
    return ui.notice(now, spoken=_spoken(registration, profile))


def least(registration: Registration) -> str:
    """Return the least view, for a thread that a whole channel reads."""
    # By name: a mention would notify the requester each time that a user asks.
    name = ui.escaped(registration.requester.name) or "an unknown user"
    asked = f"asked for by {name} {ui.when(registration.created_at)}"
    return f"*{headline(registration)}* · {asked}"


def _spoken(registration: Registration, profile: Profile) -> str:
    """Return the card as notifications and screen readers say it: status, requester, application.
    Names are written out, because a mention would call the person.
    """
    who, name = ui.escaped(registration.requester.name), ui.escaped(registration.form.name)
    asks = _asks(registration)
    words = f"{headline(registration)}. {who} {asks} for the application {name}, {profile.title}."
    if registration.failure is not None and registration.status in STUCK:
        words += f" {ui.escaped(registration.failure.sentence)}"
    return ui.clipped(words)


def _taken_over(registration: Registration) -> Iterator[Block]:
    """Tell the requester that the registration is theirs since a handover, and whose it was."""
    if registration.previous_requesters:
        before = ui.person(registration.previous_requesters[-1])
        yield ui.section(f"You now own {ui.named(registration)}, handed over from {before}.")


def _wish(registration: Registration, profile: Profile) -> Iterator[Block]:
    form = registration.form
    yield ui.section(
        f"{ui.person(registration.requester)} {_asks(registration)} for the application"
        f" *{ui.escaped(form.name)}* · {profile.title}"
    )
    # In a section of its own: escapes may make it five times as long.
    yield ui.section(ui.quoted(form.reason))


def _asks(registration: Registration) -> str:
    return "asks" if registration.status in UNDECIDED else "asked"


def _plan(registration: Registration, profile: Profile) -> Iterator[Block]:
    if registration.plan is None:
        return
    title = "What was approved"
    if registration.status in UNDECIDED:
        title = "What would be created"
    elif registration.status in NEVER_APPROVED:
        title = "What would have been created"
    words = plan_paragraphs(
        Plan.from_json(dict(registration.plan)),
        profile,
        registration.form,
        ui.SLACK_PEN,
        asked_at=registration.created_at,
        title=title,
        is_decided=registration.status not in UNDECIDED,
    )
    yield from (ui.section(paragraph) for paragraph in words)


def _context(registration: Registration) -> Block:
    asked, *expires = _times(registration)
    plan = [f"plan `{registration.digest[:16]}`"] if registration.digest is not None else []
    return ui.context(" · ".join([f"`{registration.id}`", asked, *plan, *expires]))


def _times(registration: Registration) -> Iterator[str]:
    """Yield when it was asked and, while it waits, when it expires."""
    yield f"asked {ui.when(registration.created_at)}"
    plan = registration.waiting(RequestKind.PLAN)
    if plan is not None and plan.expires_at is not None:
        yield f"expires {ui.when(plan.expires_at)}"


def steps(registration: Registration, drawing: Drawing) -> Iterator[Block]:
    """Yield the progress of the latest run: with Slack's plan block, or with plain sections."""
    if not registration.steps or registration.status in WITHOUT_STEPS:
        return
    # The stage at work is the first with a step that has not ended.
    open_stages = (step.stage for step in registration.steps if step.ended_at is None)
    stage = min(open_stages, default=None) if registration.run is not None else None
    states = [(step, _state(step, stage)) for step in registration.steps]
    title = _progress(registration, drawing.expected)
    if drawing.plain:
        lines = [f"• {step.title}: {IN_WORDS[state]}" for step, state in states]
        yield ui.section("\n".join([f"*{title}*", *lines]))
        return
    tasks = [
        TaskCardBlock(task_id=step.name, title=step.title, status=state) for step, state in states
    ]
    yield PlanBlock(title=title, tasks=tasks)


def _progress(registration: Registration, expected: timedelta | None) -> str:
    """Say how many are done and how long that took: true whenever it is read."""
    done = [step.ended_at for step in registration.steps if step.ended_at and not step.failed]
    words = f"{len(done)} of {len(registration.steps)} steps done"
    if done and registration.began_at is not None:
        word = "in" if len(done) == len(registration.steps) else "after"
        words += f" {word} {ui.lasting(max(done) - registration.began_at)}"
    if expected is not None and registration.run is RunKind.REGISTER:
        words += f" · usually {ui.lasting(expected)} in all"
    return words


def _state(step: StepState, stage_at_work: int | None) -> str:
    if step.failed:
        return "error"
    if step.ended_at is not None:
        return "complete"
    return "in_progress" if step.stage == stage_at_work else "pending"
