"""What the approval channel is told beside the card: reminders, handovers, a requester who left."""

from collections.abc import Iterator, Sequence, Set

from slack_sdk.models.blocks import Block

from bot.approval import Policy
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import Vote
from bot.domain.registration import Registration
from handlers.views import ids
from handlers.views.blocks import Blocks, context, drawn, escaped, person, section, when


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


def calling(registration: Registration, policy: Policy) -> Iterator[Block]:
    """Yield a line that notifies the approvers. Slack notifies of a post, not of an edit."""
    concerned = {
        each.user_id for each in (registration.requester, *registration.previous_requesters)
    }
    if called := " ".join(mentions(policy.mentioned - concerned)):
        yield context(f"For {called}")


def mentions(ids: Set[str]) -> Iterator[str]:
    yield from (f"<!subteam^{id}>" if id.startswith("S") else f"<@{id}>" for id in sorted(ids))


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
