"""What the approval channel is told beside the card: reminders, handovers, a requester who left."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from slack_sdk.models.blocks import Block

from bot.approval import Policy
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import Vote
from bot.domain.people import Person
from bot.domain.registration import Registration, Status
from bot.domain.secrets import Secret, SecretState
from bot.storage.history import Entry
from handlers.views import ids
from handlers.views.blocks import (
    Blocks,
    actions,
    button,
    context,
    drawn,
    escaped,
    person,
    section,
    when,
)

KNOWN = frozenset(
    {
        SecretState.CLAIMED,
        SecretState.SHOWN,
        SecretState.MASKED,
        SecretState.UNMASKED,
        SecretState.UNKNOWN,
    }
)
"""States of a secret that works and that somebody may have kept."""
DOUBTFUL = frozenset({SecretState.CLAIMED, SecretState.UNKNOWN})
"""Those in which nobody can tell whether it was seen."""


def missing(registration: Registration, quorum: Quorum) -> str:
    """Return how many approvals are there and how many are missing."""
    return given(registration.approvals(), quorum)


def given(votes: Sequence[Vote], quorum: Quorum) -> str:
    """Return how many of the votes needed are there."""
    count = quorum.needed - quorum.missing(votes)
    each = ", each by another approver group" if quorum.distinct_groups else ""
    return f"{count} of {quorum.needed} approvals given{each}"


def lost(vote: Vote) -> str:
    """Return whose approval no longer counts, and why."""
    why = escaped(vote.void or "")
    return f"The approval of {person(vote.person)} no longer counts: {why}"


class Waiting(NamedTuple):
    """What waits for approvers: the plan, or a rotation."""

    what: str
    asked_by: Person
    asked_at: datetime
    until: datetime | None
    votes: Sequence[Vote]
    where: str


def _waiting(registration: Registration) -> Waiting | None:
    id, rotation = registration.id, registration.asked_rotation
    if registration.status is Status.PENDING:
        return Waiting(
            what=f"{id} still waits for approval",
            asked_by=registration.requester,
            asked_at=registration.created_at,
            until=registration.deadline,
            votes=registration.approvals(),
            where="the card above has *Approve* and *Deny*",
        )
    if rotation is not None:
        return Waiting(
            what=f"A rotation of {id} still waits for approval",
            asked_by=rotation.asked_by,
            asked_at=rotation.asked_at,
            until=rotation.until,
            votes=registration.confirmations(),
            where="the request above has *Confirm the rotation* and *Deny the rotation*",
        )
    return None


def reminder_text(registration: Registration) -> str:
    waiting = _waiting(registration)
    return waiting.what if waiting else f"{registration.id} no longer waits for approval"


def reminder(registration: Registration, policy: Policy, quorum: Quorum) -> Blocks:
    """Call those who can still decide. If it no longer waits, call nobody."""
    waiting = _waiting(registration)
    if waiting is None:
        return drawn([context(f"{reminder_text(registration)}.")])
    asked = f"{person(waiting.asked_by)} asked {when(waiting.asked_at)}"
    name = escaped(registration.form.name)
    lines = [f"*{waiting.what}*: *{name}*, {asked}."]
    if called := " ".join(_called(registration, waiting, policy)):
        lines.append(f"{called}: {waiting.where}.")
    blocks: list[Block] = [section("\n".join(lines)), context(given(waiting.votes, quorum))]
    if waiting.until is not None:
        blocks.append(context(f"It expires {when(waiting.until)}"))
    return drawn(blocks)


def _called(registration: Registration, waiting: Waiting, policy: Policy) -> Iterator[str]:
    """Yield mentions of whoever may decide and has not; never of somebody who has asked for it."""
    silent = {vote.person.user_id for vote in waiting.votes}
    concerned = (registration.requester, *registration.previous_requesters, waiting.asked_by)
    silent |= {each.user_id for each in concerned}
    yield from _mentions(policy.mentioned - silent)


def calling(registration: Registration, policy: Policy) -> Iterator[Block]:
    """Yield a line that notifies the approvers. Slack notifies of a post, not of an edit."""
    concerned = {
        each.user_id for each in (registration.requester, *registration.previous_requesters)
    }
    if mentions := " ".join(_mentions(policy.mentioned - concerned)):
        yield context(f"For {mentions}")


def _mentions(ids: Set[str]) -> Iterator[str]:
    yield from (f"<!subteam^{id}>" if id.startswith("S") else f"<@{id}>" for id in sorted(ids))


def handover_text(registration: Registration) -> str:
    if registration.new_requester is None:
        return f"{registration.id} now belongs to {escaped(registration.requester.name)}"
    return f"{registration.id}: somebody else is to be the requester"


def handover(registration: Registration) -> Blocks:
    """Ask an approver to confirm."""
    assert registration.new_requester is not None
    name = escaped(registration.form.name)
    return drawn(
        [
            section(
                f"{person(registration.new_requester)} is to take *{registration.id}* ({name}) "
                f"over from"
                f" {person(registration.requester)}: its values and its secret go to whoever is"
                " the requester. An approver has to confirm it."
            ),
            *_known(registration),
            *actions(
                [
                    button(
                        "Confirm the handover",
                        ids.CONFIRM_HANDOVER,
                        ids.bound_value(registration.id, registration.new_requester.user_id),
                        style="primary",
                        confirm=f"{registration.new_requester.name or 'The new requester'} gets "
                        f"whatever"
                        f" {registration.id} has, and the present requester loses it.",
                    )
                ]
            ),
        ]
    )


def handed_over(registration: Registration, asked: Entry | None, confirmed: Entry | None) -> Blocks:
    """Say who confirmed a handover, who owns the registration now, and who asked for that."""
    named = f"*{registration.id}* ({escaped(registration.form.name)})"
    words = f"{named} belongs to {person(registration.requester)}."
    if asked is not None and confirmed is not None and confirmed.seq > asked.seq:
        words = (
            f"<@{confirmed.user_id}> confirmed: {named} now belongs to"
            f" {person(registration.requester)} (requested by <@{asked.user_id}>)."
        )
    return drawn([section(words)])


def _known(registration: Registration) -> Iterator[Block]:
    """Yield what a handover does not take away from whoever has seen a secret."""
    newest = registration.secret
    if newest is not None and newest.state in KNOWN:
        yield context(
            f"The secret {_shown(registration, newest)}, and works until its new requester presses"
            " *Make a new one*."
        )
    for each in registration.other_secrets:
        if each.state in KNOWN:
            shown, ends = _shown(registration, each), _ends(registration, each)
            yield context(f"The previous secret {shown}, and works until {ends}")


def _shown(registration: Registration, secret: Secret) -> str:
    """Say to whom it was shown: to one of those who were the requester when it was."""
    people = dict.fromkeys(map(person, (*registration.previous_requesters, registration.requester)))
    verb = "may have been" if secret.state in DOUBTFUL else "was"
    return f"{verb} shown to {' or '.join(people)}"


def _ends(registration: Registration, previous: Secret) -> str:
    """Say until when a secret works that another one follows, and how to end it."""
    retire = f"`{ids.COMMAND} retire {registration.id}` ends it at once."
    if previous.retires_at is None:
        return f"the new one was seen, and for 7 days after that. Once it was seen, {retire}"
    return f"{when(previous.retires_at)}, and longer if a new one is made before that. {retire}"


def left_text(registration: Registration) -> str:
    return f"{registration.id} is ready, and its requester's account is deactivated or gone"


def left(registration: Registration) -> Blocks:
    """Say that nobody can be given the values, and what to do."""
    until = ""
    if registration.deadline is not None:
        until = f" Unless that happens, its secret is removed {when(registration.deadline)}."
    return drawn(
        [
            section(f"*{left_text(registration)}*, so the values were sent to nobody."),
            section(
                f"Type `{ids.COMMAND} handover {registration.id} @person` to give it to somebody"
                f" else.{until}"
            ),
        ]
    )
