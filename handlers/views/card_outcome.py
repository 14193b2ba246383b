"""What was decided on a registration, and what came of it."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block

from bot.approval.quorum import Quorum
from bot.domain.registration import Registration, Status
from bot.domain.secrets import SecretState
from handlers.views import approvers, drift, ids, requests, revocation, rotation
from handlers.views.blocks import (
    context,
    escaped,
    person,
    section,
    when,
)

CAN_ASK_AGAIN = "The requester can ask again"


def outcome_blocks(
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
            yield context(f"{again} when this is corrected.")
        case Status.DENIED:
            yield section("\n".join(f">{escaped(line)}" for line in _said(registration)))
            yield _nothing_changed(registration, is_theirs)
        case Status.CANCELLED | Status.EXPIRED:
            yield _nothing_changed(registration, is_theirs)
        case Status.UNDONE | Status.REVOKING | Status.REVOKED:
            yield from revocation.standing(registration)
        case Status.READY:
            yield from _ready(registration, is_theirs=is_theirs)
            yield from rotation.lines(registration)
    yield from requests.lines(registration, quorum)
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
    counts = [f"{seen[each]:,} {each}" for each in ("users", "groups") if each in seen]
    lost = why_lost(registration, is_theirs=is_theirs)
    if registration.has_expired and not lost:
        yield section(f"Application (client) ID `{id}`. {expired(registration)}")
        yield from drift.line(registration)
        return
    reads = f" The app can read {' and '.join(counts)}." if counts else ""
    tried = f"Sign-in tested.{reads}"
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
        "A new one is being made."
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
                "The new secret wasn't picked up within 7 days, so it was deleted from Entra, and"
                f" the previous one is still in use: {presses} *Make a new one* for another."
            )
        case SecretState.CLOSED | SecretState.REMOVED:
            return (
                f"The secret wasn't picked up within 7 days, so it was deleted from Entra: {until}"
            )
        case SecretState.REPLACED:
            return f"The secret was replaced by one that failed: {until}"
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
        yield context(f"Retry by {when(registration.deadline)}, or it will be undone automatically")
    if registration.status is Status.REVOKING and registration.deadline is not None:
        yield context(f"The bot retries automatically {when(registration.deadline)}")
