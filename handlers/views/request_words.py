"""The words of approval requests: one entry for each kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from slack_sdk.models.blocks import Block

from bot.domain.approval_requests import RequestKind
from bot.domain.lifetimes import PREVIOUS_SECRET
from bot.domain.registration import Registration
from bot.domain.secrets import Secret, SecretState
from handlers.views import ids, ui


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of one kind of request. `requests` fills in those that have braces."""

    thing: str
    """The subject of the request: begins a sentence, and continues one."""
    asks: str
    """The question to the approvers."""
    approve: str
    """The consequence of an approval, in plain text."""
    labels: tuple[str, str, str]
    """On the buttons that approve, deny and cancel."""
    rest: str
    """The state that stays while this is not approved."""
    doing: str = "it was approved"
    done: str = ""
    failed: str = "it failed"
    again: str = ""
    """The command that asks again."""
    more: Callable[[Registration], Iterator[Block]] = lambda registration: iter(())
    """Further facts for the decision."""


DOUBTFUL = (SecretState.CLAIMED, SecretState.UNKNOWN)
"""States of a secret that may have been seen, or not."""


def _known(registration: Registration) -> Iterator[Block]:
    """Yield a warning for each secret that an earlier requester may still know."""
    newest = registration.secret
    if newest is not None and newest.may_be_known:
        yield ui.context(
            f"The secret {_shown(registration, newest)}, and works until its new requester presses"
            " *Make a new one*."
        )
    for each in registration.other_secrets:
        if each.may_be_known:
            shown, ends = _shown(registration, each), _ends(registration, each)
            yield ui.context(f"The previous secret {shown}, and works until {ends}")


def _shown(registration: Registration, secret: Secret) -> str:
    """Say to whom it was shown: to one of those who were the requester when it was."""
    people = dict.fromkeys(
        map(ui.person, (*registration.previous_requesters, registration.requester))
    )
    verb = "may have been" if secret.state in DOUBTFUL else "was"
    return f"{verb} shown to {' or '.join(people)}"


def _ends(registration: Registration, previous: Secret) -> str:
    """Say until when a secret works that another one follows, and how to end it."""
    retire = f"`{ids.COMMAND} retire {registration.id}` ends it at once."
    if previous.remove_at is None:
        days = PREVIOUS_SECRET.days
        return f"the new one was seen, and for {days} days after that. Once it was seen, {retire}"
    return f"{ui.when(previous.remove_at)}, and longer if a new one is made before that. {retire}"


WORDS: Mapping[RequestKind, Words] = {
    RequestKind.PLAN: Words(
        thing="an application",
        asks="",  # the card says it
        approve=(
            "The bot creates this application in Entra and gives it the permissions listed, for the"
            " whole tenant. Plan {digest}."
        ),
        labels=("Approve", "Deny", "Cancel"),
        rest="This takes your registration back.",
    ),
    RequestKind.ROTATION: Words(
        thing="a new secret",
        asks=(
            "{by} asks for a new secret of *{id}* ({name}), for {days} days. {requester} gets it."
            " The one in use works until the new one was seen,"
            f" and for {PREVIOUS_SECRET.days} days after that."
        ),
        approve="The bot makes a new secret in Entra, beside the one in use.",
        labels=("Confirm the rotation", "Deny the rotation", "Cancel the rotation"),
        rest="The current secret keeps working.",
        doing="a new secret is being made",
        done="a new secret was made",
        failed="no new secret could be made",
        again="rotate {id}",
    ),
    RequestKind.HANDOVER: Words(
        thing="another requester",
        asks=(
            "{by} wants to hand *{id}* ({name}) over from {requester} to {to}, who would then get"
            " its values and its secret. An approver has to confirm it."
        ),
        approve="{to_name} gets all that {id} has, and the present requester loses it.",
        labels=("Confirm the handover", "Deny the handover", "Cancel the handover"),
        rest="Its requester stays the same.",
        done="now belongs to {requester}",
        again="handover {id} @person",
        more=_known,
    ),
    RequestKind.PURGE: Words(
        thing="deletion for good",
        asks=(
            "{by} asks to delete the application of *{id}* ({name}) for good. It cannot be restored"
            " after this: it is removed from Deleted applications in Entra, too."
        ),
        approve="The application cannot be restored after this.",
        labels=("Confirm the purge", "Deny the purge", "Cancel the purge"),
        rest="An administrator can still restore the application in Entra.",
        doing="it is being deleted for good",
        done="it was deleted for good",
        failed="it could not be deleted for good",
        again="purge {id}",
    ),
}
