"""The card: a registration as its approvers and its requester see it.

A card is a drawing of the database, never its source. It is redrawn whole at each change.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ASKABLE_AGAIN
from bot.approval.quorum import Quorum
from bot.domain.catalogue import Profile
from bot.domain.people import Person
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.planning.plan_text import plan_paragraphs
from graph.plan import Plan
from handlers.views import approvers, drift, ids, revocation, rotation
from handlers.views.blocks import (
    Blocks,
    SlackPen,
    actions,
    button,
    clipped,
    context,
    drawn,
    escaped,
    header,
    person,
    section,
    when,
)
from handlers.views.steps import Drawing, steps

HEADLINES: Mapping[Status, str] = {
    Status.PLANNING: "is being checked against the tenant",
    Status.REFUSED: "cannot be made",
    Status.PENDING: "waits for approval",
    Status.DENIED: "was denied",
    Status.CANCELLED: "was cancelled",
    Status.EXPIRED: "expired: nobody decided in time",
    Status.APPROVED: "is being set up",
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

CAN_ASK_AGAIN = "The requester can ask again"

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
        *_outcome(registration, quorum),
        *drift.details(registration),
        *steps(registration, drawing),
    ]
    context, buttons = list(_context(registration)), actions(_approver_buttons(registration))
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
            *_wish(registration, profile),
            *_outcome(registration, quorum, is_theirs=True),
            *drift.details(registration),
            *steps(registration, drawing),
            *_context(registration),
            *actions(requester_buttons(registration)),
        ]
    )


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
            *_outcome(registration, quorum, in_full=in_full),
            *steps(registration, drawing),
            context(" · ".join(_times(registration))),
        ]
    )


def news(registration: Registration, quorum: Quorum) -> Blocks:
    """Return the line that makes Slack notify the requester; the card itself says the rest."""
    by = "".join(f" by {person(who)}" for who in _ended_by(registration))
    # Until it is decided, only approvals come and go.
    is_pending = registration.status is Status.PENDING
    still = f": {approvers.missing(registration, quorum)}" if is_pending else ""
    return drawn(
        [section(f"*{headline(registration)}*{by}{still}"), context("Your card above says more.")]
    )


def _ended_by(registration: Registration) -> Iterator[Person]:
    if registration.status is Status.DENIED:
        yield from (vote.person for vote in registration.votes[-1:])
    is_revoked = registration.status in (Status.REVOKING, Status.REVOKED)
    if is_revoked and registration.revocation is not None:
        yield registration.revocation.by


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
    )
    yield from (section(paragraph) for paragraph in words)


def _plan_title(status: Status) -> str:
    if status in UNDECIDED:
        return "What would be created"
    if status in NEVER_APPROVED:
        return "What would have been created"
    return "What the approved plan creates"


def _outcome(
    registration: Registration, quorum: Quorum, *, in_full: bool = True, is_theirs: bool = False
) -> Iterator[Block]:
    """What has been decided and what came of it; `is_theirs` on the requester's own card."""
    for vote in registration.votes:
        if vote.void is not None:
            yield context(approvers.lost(vote))
            continue
        done = "Approved" if vote.verdict == "approve" else "Denied"
        yield context(f"{done} by {person(vote.person)} {when(vote.at)}")
    match registration.status:
        case Status.PENDING if quorum.needed > 1 or registration.was_begun:
            yield context(approvers.missing(registration, quorum))
        case Status.REFUSED | Status.DENIED if not in_full:
            yield context("The requester and the approvers can read why.")
        case Status.REFUSED:
            yield section("\n".join(f"• {escaped(reason)}" for reason in registration.reasons))
            again = "Press *Ask again*" if is_theirs else CAN_ASK_AGAIN
            yield context(f"{again} when this is put right.")
        case Status.DENIED:
            yield section("\n".join(f">{escaped(line)}" for line in _said(registration)))
            yield _nothing_changed(registration, is_theirs)
        case Status.CANCELLED | Status.EXPIRED:
            yield _nothing_changed(registration, is_theirs)
        case Status.UNDONE | Status.REVOKING | Status.REVOKED:
            yield from revocation.standing(registration)
        case Status.READY:
            yield from _ready(registration, is_theirs=is_theirs)
            yield from rotation.lines(registration, quorum)
    if registration.failure is not None:
        yield from _failure(registration)


def _nothing_changed(registration: Registration, is_theirs: bool) -> Block:
    """Say that nothing was made, or that it is removed, and how to try again."""
    opens = "*Ask again* opens the form as you filled it in"
    left = "Nothing was changed in Entra."
    if registration.was_begun:
        left = "The bot removes what it had made in Entra before it failed."
    return context(f"{left} {opens if is_theirs else CAN_ASK_AGAIN}.")


def _said(registration: Registration) -> list[str]:
    """Return why it was denied, line by line."""
    return [line for reason in registration.reasons for line in reason.splitlines()]


def _ready(registration: Registration, *, is_theirs: bool) -> Iterator[Block]:
    id, seen = registration.app_id, registration.facts.get("directory", {})
    counts = f" It reads {seen['users']} users" if "users" in seen else ""
    counts += (
        f" and {seen['groups']} groups." if counts and "groups" in seen else "." * bool(counts)
    )
    lost = why_lost(registration, is_theirs=is_theirs)
    if registration.has_expired and not lost:
        yield section(f"Application (client) ID `{id}`. {expired(registration)}")
        yield from drift.line(registration)
        return
    tried = f"The new secret was tried: it signs in.{counts}"
    state = lost or ("" if _is_untried(registration) else tried)
    yield section(f"Application (client) ID `{id}`. {state}".rstrip())
    secret = registration.secret_in_use if lost else registration.secret
    if secret is not None and secret.expires_at is not None:
        ends = "expired" if registration.has_expired else "expires"
        yield context(f"The secret {ends} {when(secret.expires_at)}")
    yield from drift.line(registration)


def _is_untried(registration: Registration) -> bool:
    """Whether the secret was found in the tenant, after a restore, and nothing is known of it."""
    secret = registration.secret
    is_unknown = secret is not None and secret.state is SecretState.UNKNOWN
    return is_unknown and "sign_in" not in registration.facts


def expired(registration: Registration) -> str:
    """Say since when its connector cannot sign in, and what follows."""
    secret = registration.secret_in_use or registration.secret
    assert secret is not None
    assert secret.expires_at is not None
    follows = (
        "A new one is on its way."
        if registration.awaits_secret
        else f"`{ids.COMMAND} rotate {registration.id}` asks for a new one."
    )
    return (
        f"The secret expired {when(secret.expires_at)}: the connector can no longer sign in."
        f" {follows}"
    )


def why_lost(registration: Registration, *, is_theirs: bool) -> str:
    """Return why the newest secret does not work, if that is so, and whether an older one does.

    The button is on the notice.
    """
    presses = "you press" if is_theirs else "the requester presses"
    until = f"the connector cannot sign in until {presses} *Make a new one*."
    older = registration.previous_secret
    stays = older is not None and older.retires_at is None
    match registration.secret.state if registration.secret else None:
        case SecretState.CLOSED | SecretState.REMOVED if stays:
            return (
                "Nobody came for the new secret in time, so it was removed. The one before is still"
                f" in use: {presses} *Make a new one* for another."
            )
        case SecretState.CLOSED | SecretState.REMOVED:
            return f"Nobody came for the secret in time, so it was removed: {until}"
        case SecretState.REPLACED:
            return f"The secret was replaced by one that did not last: {until}"
        case _:
            return ""


def _failure(registration: Registration) -> Iterator[Block]:
    failure = registration.failure
    assert failure is not None
    # A run that has not ended waits for an outage to pass.
    waits = registration.status in (Status.PLANNING, Status.APPROVED)
    mark = ":hourglass_flowing_sand:" if waits else ":x:"
    lines = [
        f"{mark} *{escaped(failure.step)}*: {escaped(failure.sentence)}",
        escaped(failure.advice),
    ]
    if failure.request_id:
        lines.append(f"Request id `{escaped(failure.request_id)}`")
    yield section("\n".join(lines))
    if registration.status is Status.FAILED and registration.deadline is not None:
        yield context(
            f"Unless somebody retries, it is undone by itself {when(registration.deadline)}"
        )
    if registration.status is Status.REVOKING and registration.deadline is not None:
        yield context(f"The bot tries again by itself {when(registration.deadline)}")


def _context(registration: Registration) -> Iterator[Block]:
    asked, *expires = _times(registration)
    plan = [f"plan `{registration.digest[:16]}`"] if registration.digest is not None else []
    yield context(" · ".join([f"`{registration.id}`", asked, *plan, *expires]))


def _times(registration: Registration) -> Iterator[str]:
    """Yield when it was asked and, while it waits, when it expires."""
    yield f"asked {when(registration.created_at)}"
    if registration.status is Status.PENDING and registration.deadline is not None:
        yield f"expires {when(registration.deadline)}"


def _approver_buttons(registration: Registration) -> list[ButtonElement]:
    id = registration.id
    if registration.status is Status.PENDING:
        return [
            button(
                "Approve",
                ids.APPROVE,
                id,
                style="primary",
                confirm=f"The bot creates this application in Entra and gives it the permissions"
                f" listed, for the whole tenant. Plan {(registration.digest or '')[:16]}.",
            ),
            button("Deny", ids.DENY, id),
            *_withdraw_button(registration),
        ]
    return [
        *rotation.decide_buttons(registration),
        *rotation.retire_buttons(registration),
        *_repair_buttons(registration),
    ]


def _withdraw_button(registration: Registration) -> list[ButtonElement]:
    if not registration.approvals():
        return []
    return [button("Withdraw my approval", ids.WITHDRAW, registration.id)]


def requester_buttons(registration: Registration) -> list[ButtonElement]:
    """Return what the requester can do now."""
    if registration.status is Status.PENDING:
        confirm = "This takes your registration back."
        return [button("Cancel", ids.CANCEL, registration.id, confirm=confirm)]
    if registration.status in ASKABLE_AGAIN:
        return [button("Ask again", ids.AGAIN, registration.id, style="primary")]
    return [
        *rotation.requester_buttons(registration),
        *rotation.retire_buttons(registration),
        *_repair_buttons(registration),
    ]


def _repair_buttons(registration: Registration) -> list[ButtonElement]:
    if registration.status is not Status.FAILED or registration.run is not None:
        return revocation.buttons(registration)
    confirm = "The bot removes from Entra what this registration has made."
    return [
        button("Retry", ids.RETRY, registration.id, style="primary"),
        button("Undo", ids.UNDO, registration.id, style="danger", confirm=confirm),
    ]
