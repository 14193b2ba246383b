"""The card: a registration as its approvers and its requester see it.

A card is a drawing of the database, never its source. It is redrawn whole at each change.
"""

from collections.abc import Iterator, Mapping

from slack_sdk.models.blocks import Block, PlanBlock, TaskCardBlock

from bot.domain.approval_requests import RequestKind
from bot.domain.catalogue import Profile
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind, StepState
from bot.registrar.deliveries import Drawing
from bot.storage.queries import ListLine
from handlers.views import plan, ui
from handlers.views.buttons import approver_buttons, requester_buttons
from handlers.views.outcome import differences, outcome_blocks, result

HEADLINES: Mapping[Status, tuple[str, str]] = {
    Status.PLANNING: ("is being checked against the tenant", "checking the tenant"),
    Status.REFUSED: ("can't be created", "can't be created"),
    Status.PENDING: ("waits for approval", "approval needed"),
    Status.DENIED: ("was denied", "denied"),
    Status.CANCELLED: ("was cancelled", "cancelled"),
    Status.EXPIRED: ("expired without a decision", "expired without a decision"),
    Status.APPROVED: ("is being set up", "being set up"),
    Status.WAITING_FOR_CONSENT: (
        "waits for an administrator's consent",
        "admin consent needed",
    ),
    Status.FAILED: ("failed", "failed"),
    Status.READY: ("is ready", "ready"),
    Status.UNDONE: ("was undone", "undone"),
    Status.REVOKING: ("is being revoked", "being revoked"),
    Status.REVOKED: ("was revoked", "revoked"),
}
"""By the state, the words after an id in a sentence, and those after the name in a headline."""

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


def headline(registration: Registration | ListLine) -> str:
    """Return one sentence on where a registration, or its line in a list, stands."""
    return f"{registration.id}{_standing(registration)[0]}"


def title(registration: Registration) -> str:
    """Return the headline of a card: the application's name, and where it stands."""
    return f"{ui.unmarked(registration.form.name)}: {_standing(registration)[1]}"


def _standing(registration: Registration | ListLine) -> tuple[str, str]:
    """Return the words after an id in a sentence, and after a name in a headline. Those for a
    removal, or an expired secret, say more than the state.
    """
    match registration.run:
        case RunKind.UNDO:
            return " is being undone", "being undone"
        case RunKind.PURGE:
            return " is being deleted for good", "being deleted for good"
        case None if registration.status is Status.REVOKING:
            return " is not revoked yet", "not revoked yet"
        case _ if registration.has_expired:
            return ": secret expired", "secret expired"
        case _:
            in_a_sentence, in_a_headline = HEADLINES[registration.status]
            return f" {in_a_sentence}", in_a_headline


def card(registration: Registration, drawing: Drawing) -> ui.Notice:
    """Return the card for the approval channel, with Approve and Deny while it waits.

    Everything that approvers must read before they decide stands above these buttons; after the
    decision the outcome stands there, and *Details* has the plan.
    """
    return _spoken(registration, drawing.profile), ui.drawn(
        [
            ui.header(title(registration), level=drawing.level),
            _wish(registration, drawing.profile),
            *(plan.for_decision(registration) if registration.status in plan.UNDECIDED else ()),
            *_outcome(registration, drawing),
            *plan.consent_given(registration),
            _context(registration),
            *approver_buttons(registration, with_codes=drawing.with_codes),
        ]
    )


def progress(registration: Registration, drawing: Drawing) -> ui.Notice:
    """Return the requester's own card, shorter, with their actions."""
    return _spoken(registration, drawing.profile), ui.drawn(
        [
            ui.header(title(registration), level=drawing.level),
            *_taken_over(registration),
            _wish(registration, drawing.profile),
            *_outcome(registration, drawing, is_theirs=True),
            _context(registration),
            *ui.actions(requester_buttons(registration)),
        ]
    )


def _outcome(
    registration: Registration, drawing: Drawing, *, is_theirs: bool = False
) -> Iterator[Block]:
    yield from outcome_blocks(registration, drawing.quorum, is_theirs=is_theirs)
    yield from plan.consent_awaited(registration, drawing.consent_page)
    yield from differences(registration)
    yield from steps(registration, drawing)


def status(registration: Registration, drawing: Drawing, *, in_full: bool) -> ui.Notice:
    """Return the public view, without buttons; why it ended only for people whom it concerns."""
    return _spoken(registration, drawing.profile), ui.drawn(
        [
            ui.section(f"*{headline(registration)}* · {ui.escaped(registration.form.name)}"),
            _wish(registration, drawing.profile),
            *outcome_blocks(registration, drawing.quorum, in_full=in_full),
            *plan.consent_awaited(registration, drawing.consent_page),
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
    """Return the card as notifications and screen readers say it: status, requester, application,
    and the permissions or the result. Names are written out, because a mention would call the
    person.
    """
    who, name = ui.escaped(registration.requester.name), ui.escaped(registration.form.name)
    asks = _asks(registration)
    words = f"{headline(registration)}. {who} {asks} for the application {name}, {profile.title}."
    if registration.failure is not None and registration.status in STUCK:
        words += f" {ui.escaped(registration.failure.sentence)}"
    elif registration.status is Status.READY:
        words = f"{words} {result(registration, is_theirs=False)}".rstrip()
    return ui.clipped(words + plan.spoken(registration))


def _taken_over(registration: Registration) -> Iterator[Block]:
    """Tell the requester that the registration is theirs since a handover, and whose it was."""
    if registration.previous_requesters:
        before = ui.person(registration.previous_requesters[-1])
        yield ui.section(f"You now own {ui.named(registration)}, handed over from {before}.")


def _wish(registration: Registration, profile: Profile) -> Block:
    """Say who asks, for what and, until all is made, why."""
    asks = f"{ui.person(registration.requester)} {_asks(registration)} for this application"
    wish = f"{asks} · {ui.escaped(profile.title)}"
    is_over = registration.status is Status.READY or registration.status.is_end
    return ui.section(wish if is_over else f"{wish}\n{ui.quoted(registration.form.reason)}")


def _asks(registration: Registration) -> str:
    return "asks" if registration.status in plan.UNDECIDED else "asked"


def _context(registration: Registration) -> Block:
    asked, *expires = _times(registration)
    digest = [f"plan `{registration.digest[:16]}`"] if registration.digest is not None else []
    mark = [] if registration.status in plan.UNDECIDED else plan.mode_mark(registration)
    return ui.context(" · ".join([f"`{registration.id}`", asked, *digest, *expires, *mark]))


def _times(registration: Registration) -> Iterator[str]:
    """Yield when it was asked and, while it waits, when it expires."""
    yield f"asked {ui.when(registration.created_at)}"
    asked = registration.waiting(RequestKind.PLAN)
    if asked is not None and asked.expires_at is not None:
        yield f"expires {ui.when(asked.expires_at)}"


def steps(registration: Registration, drawing: Drawing) -> Iterator[Block]:
    """Yield the progress of the latest run: with Slack's plan block, or with plain sections."""
    if not registration.steps or registration.status in WITHOUT_STEPS:
        return
    # The stage at work is the first with a step that has not ended.
    open_stages = (step.stage for step in registration.steps if step.ended_at is None)
    stage = min(open_stages, default=None) if registration.run is not None else None
    states = [(step, _state(step, stage)) for step in registration.steps]
    # What is said of the time is true whenever it is read.
    done = [step.ended_at for step in registration.steps if step.ended_at and not step.failed]
    words = f"{len(done)} of {len(registration.steps)} steps done"
    if done and registration.began_at is not None and registration.consent is None:
        # An administrator may take days, which says nothing of the steps.
        word = "in" if len(done) == len(registration.steps) else "after"
        words += f" {word} {ui.lasting(max(done) - registration.began_at)}"
    if drawing.expected is not None and registration.run is RunKind.REGISTER:
        words += f" · usually {ui.lasting(drawing.expected)} in all"
    if registration.run is None and registration.status in (Status.READY, Status.FAILED):
        yield ui.context(words)
        return
    if drawing.plain:
        lines = [f"• {step.title}: {IN_WORDS[state]}" for step, state in states]
        yield ui.section("\n".join([f"*{words}*", *lines]))
        return
    tasks = [
        TaskCardBlock(task_id=step.name, title=step.title, status=state) for step, state in states
    ]
    yield PlanBlock(title=words, tasks=tasks)


def _state(step: StepState, stage_at_work: int | None) -> str:
    if step.failed:
        return "error"
    if step.ended_at is not None:
        return "complete"
    return "in_progress" if step.stage == stage_at_work else "pending"
