"""The outcome on a card: decisions on a registration, its result, and how to continue."""

from collections.abc import Iterator, Sequence

from slack_sdk.models.blocks import Block

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.lifetimes import PREVIOUS_SECRET, UNREAD_SECRET
from bot.domain.registration import Check, Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from graph.orphans import KEPT
from handlers.views import ids, requests, ui

MOST_LINES = 12
LONGEST_LINE = 240
"""More than that would push the other differences off the message."""
CAN_ASK_AGAIN = "The requester can ask again"
UNREAD = (
    f"The secret wasn't picked up within {UNREAD_SECRET.days} days, so it was deleted from Entra"
)


def outcome_blocks(
    registration: Registration, quorum: Quorum, *, in_full: bool = True, is_theirs: bool = False
) -> Iterator[Block]:
    """Yield the votes and what followed; `is_theirs` on the requester's own card."""
    if registration.status is Status.READY:
        yield from _ready(registration, is_theirs=is_theirs)
    yield from _votes(registration)
    match registration.status:
        case Status.PENDING if quorum.needed > 1 or registration.was_begun:
            yield ui.context(requests.given(registration.approvals(), quorum))
        case Status.REFUSED | Status.DENIED if not in_full:
            yield ui.context("The requester and the approvers can read why.")
        case Status.REFUSED:
            yield ui.section(ui.bullets(registration.reasons))
            again = "Press *Ask again*" if is_theirs else CAN_ASK_AGAIN
            yield ui.context(f"{again} when this is corrected.")
        case Status.DENIED:
            yield ui.section(ui.quoted("\n".join(registration.reasons)))
            yield _nothing_changed(registration, is_theirs)
        case Status.CANCELLED | Status.EXPIRED:
            yield _nothing_changed(registration, is_theirs)
        case Status.UNDONE | Status.REVOKING | Status.REVOKED:
            yield from _removed(registration)
    yield from requests.lines(registration, quorum)
    if registration.failure is not None:
        yield from _failure(registration)


def _votes(registration: Registration) -> Iterator[Block]:
    """Yield who decided, in a line, and whose approval no longer counts."""
    yield from (requests.void(vote) for vote in registration.votes if vote.void is not None)
    done = [
        f"{'Approved' if vote.verdict == 'approve' else 'Denied'} by {ui.person(vote.person)}"
        f" {ui.when(vote.at)}"
        for vote in registration.votes
        if vote.void is None
    ]
    if done:
        yield ui.context(" · ".join(done))


def _nothing_changed(registration: Registration, is_theirs: bool) -> Block:
    """Say that nothing was made, or that it is removed, and how to try again."""
    opens = "*Ask again* opens the form as you filled it in"
    left = "Nothing was changed in Entra."
    if registration.was_begun:
        left = "The bot removes everything that it had created in Entra before it failed."
    return ui.context(f"{left} {opens if is_theirs else CAN_ASK_AGAIN}.")


def _removed(registration: Registration) -> Iterator[Block]:
    """Yield who revoked it, the objects that are left, and for how long they can be restored."""
    revocation = registration.revocation
    if revocation is not None:
        yield ui.context(
            f"Revocation asked for by {ui.person(revocation.by)} {ui.when(revocation.at)}"
        )
    if registration.status is Status.REVOKING:
        left = "The bot is removing everything that this registration has created in Entra."
        if registration.run is None:
            left = (
                "The connector may still be able to sign in: not everything is removed from Entra"
                " yet."
            )
        yield ui.section(left)
        return
    if registration.status is Status.UNDONE and registration.reasons:
        yield ui.section("\n".join(ui.escaped(reason) for reason in registration.reasons))
    if registration.deadline is None:
        yield ui.context("Everything that this registration had created in Entra is removed.")
    if registration.status is Status.REVOKED:
        yield ui.context("The connector can no longer sign in.")
    deleted = next((it for it in reversed(registration.deleted) if it.step == "application"), None)
    if registration.purged_at is not None:
        at = ui.when(registration.purged_at)
        yield ui.context(f"Deleted for good, as of {at}: it cannot be restored.")
    elif deleted is not None:
        until = "for 30 days after it was deleted there"
        if deleted.was_there:
            until = f"until {ui.when(deleted.at + KEPT)}"
        yield ui.context(
            f"Application (client) ID `{deleted.app_id}`. An administrator can restore it"
            f" from *Deleted applications* in the Entra admin centre {until}."
            f" Approvers can delete it for good: `{ids.COMMAND} purge {registration.id}`"
        )


def _ready(registration: Registration, *, is_theirs: bool) -> Iterator[Block]:
    lost = why_lost(registration, is_theirs=is_theirs)
    is_expired = registration.has_expired and not lost
    if state := result(registration, is_theirs=is_theirs):
        mark = ":warning:" if is_expired or lost else ":white_check_mark:"
        yield ui.section(f"{mark} {state}")
    facts = {"Application (client) ID": f"`{registration.app_id}`"}
    secret = registration.secret_in_use if lost else registration.secret
    if secret is not None and secret.expires_at is not None and not is_expired:
        ends = "expired" if registration.has_expired else "expires"
        facts[f"The secret {ends}"] = ui.when(secret.expires_at)
    yield ui.facts(facts)
    yield from latest_check(registration)
    if registration.run is RunKind.ADD_SECRET:
        yield ui.context("A new secret is being made. The one in use works as before.")
        yield from requests.under_way(registration, RequestKind.ROTATION)
    if words := previous(registration):
        yield ui.context(words)


def result(registration: Registration, *, is_theirs: bool) -> str:
    """Return what came of a registration that is ready: whether its connector can sign in."""
    lost = why_lost(registration, is_theirs=is_theirs)
    is_expired = registration.has_expired and not lost
    return expired(registration) if is_expired else lost or _tested(registration)


def _tested(registration: Registration) -> str:
    """Return the results of the tests. A secret found in the tenant after a restore has none."""
    if is_doubtful(registration) and "sign_in" not in registration.facts:
        return ""
    seen = registration.facts.get("directory", {})
    counts = [f"{seen[each]:,} {each}" for each in ("users", "groups") if each in seen]
    reads = f" The app can read {' and '.join(counts)}." if counts else ""
    return f"Sign-in tested.{reads}"


def is_doubtful(registration: Registration) -> bool:
    """Whether it is unknown if the newest secret was seen."""
    secret = registration.secret
    return secret is not None and secret.is_live and secret.state is SecretState.UNKNOWN


def previous(registration: Registration) -> str:
    """Say how long the secret before the newest one stays, if there is one.

    The words are true before its date and after that: they may stand there for longer.
    """
    found = registration.previous_secret
    if found is None:
        return ""
    if found.remove_at is None:
        days = PREVIOUS_SECRET.days
        return (
            f"The previous secret works until the new one was seen, and for {days} days after that."
        )
    if found.removal_began:
        return "The previous secret is being removed from Entra."
    return f"The previous secret is removed as of {ui.when(found.remove_at)}"


def expired(registration: Registration) -> str:
    """Say since when its connector cannot sign in, and how to get a new secret."""
    secret = registration.secret_in_use or registration.secret
    assert secret is not None
    assert secret.expires_at is not None
    follows = f"`{ids.COMMAND} rotate {registration.id}` asks for a new one."
    if registration.awaits_secret:
        follows = "A new one is being made."
    since = ui.when(secret.expires_at)
    return f"The secret expired {since}: the connector can no longer sign in. {follows}"


def why_lost(registration: Registration, *, is_theirs: bool) -> str:
    """Return why the newest secret does not work, if that is so, and whether an older one does.

    The button is on the notice.
    """
    presses = "you press" if is_theirs else "the requester presses"
    until = f"the connector cannot sign in until {presses} *Make a new one*."
    older = registration.previous_secret
    stays = older is not None and older.remove_at is None
    secret = registration.secret
    if secret is None or secret.removed_because is None:
        return ""
    if secret.is_superseded:
        return f"The secret was replaced by one that failed: {until}"
    if stays:
        still = "the previous one is still in use"
        return f"{UNREAD}, and {still}: {presses} *Make a new one* for another."
    return f"{UNREAD}: {until}"


def _failure(registration: Registration) -> Iterator[Block]:
    failure = registration.failure
    assert failure is not None
    # A run that has not ended waits for an outage to pass.
    waits = registration.status in (Status.PLANNING, Status.APPROVED)
    mark = ":hourglass_flowing_sand:" if waits else ":x:"
    lines = [
        f"{mark} *{ui.escaped(failure.step)}*: {ui.escaped(failure.sentence)}",
        ui.escaped(failure.advice),
    ]
    if failure.request_id:
        lines.append(f"Request id `{ui.escaped(failure.request_id)}`")
    yield ui.section("\n".join(lines))
    if registration.status is Status.FAILED and registration.deadline is not None:
        yield ui.context(
            f"Retry by {ui.when(registration.deadline)}, or it will be undone automatically"
        )
    if registration.status is Status.REVOKING and registration.deadline is not None:
        yield ui.context(f"The bot retries automatically {ui.when(registration.deadline)}")


def latest_check(registration: Registration) -> Iterator[Block]:
    """Yield the public part of the latest check: its time, and the number of differences."""
    if registration.check is not None:
        at, outcome = ui.when(registration.check.at), check_outcome(registration.check)
        yield ui.context(f"Compared with the tenant {at}: it {outcome}")


def differences(registration: Registration) -> Iterator[Block]:
    """Yield every difference, for the requester and the approvers."""
    check = registration.check
    if registration.status is Status.READY and check is not None and check.differences:
        lines = listed(check.differences)
        yield ui.section(f":warning: *In Entra it no longer matches what was approved*\n{lines}")


def check_outcome(check: Check) -> str:
    """Say how a registration compares with the tenant, after its id."""
    if check.failure is not None:
        return "could not be compared with the tenant"
    match len(check.differences):
        case 0 if check.unseen:
            return "matches what was approved, as far as the bot could read it"
        case 0:
            return "matches what was approved"
        case 1:
            return "no longer matches what was approved: 1 difference"
        case count:
            return f"no longer matches what was approved: {count} differences"


def listed(sentences: Sequence[str]) -> str:
    """Return the sentences of a check as lines."""
    # Names in the tenant are foreign text, line breaks included.
    lines = [
        f"• {ui.escaped(' '.join(each.split())[:LONGEST_LINE])}" for each in sentences[:MOST_LINES]
    ]
    more = len(sentences) - MOST_LINES
    return "\n".join([*lines, *([f"• and {more} more"] if more > 0 else [])])
