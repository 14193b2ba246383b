"""What people read of each kind of approval request: one entry for each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from slack_sdk.models.blocks import Block

from bot.domain.approval_requests import ApprovalRequest, RequestKind
from bot.domain.registration import Registration
from bot.domain.secrets import Secret, SecretState
from handlers.views import ids
from handlers.views.blocks import context, escaped, person, when


@dataclass(frozen=True, kw_only=True)
class Words:
    """What people read of one kind of request."""

    thing: str
    """What is asked for: begins a sentence, and continues one."""
    asks: Callable[[Registration, ApprovalRequest], str]
    """What the approvers are asked."""
    approve: Callable[[Registration, ApprovalRequest], str]
    """What an approval brings about."""
    labels: tuple[str, str, str]
    """On the buttons that approve, deny and cancel."""
    rest: str
    """How it stays while this is not approved."""
    doing: str = ""
    done: str = ""
    failed: str = ""
    again: str = ""
    """The command that asks again."""
    more: Callable[[Registration], Iterator[Block]] = lambda registration: iter(())
    """What approvers have to know beside that."""


def _asks_rotation(registration: Registration, request: ApprovalRequest) -> str:
    name, days = escaped(registration.form.name), (registration.plan or {}).get("secret_days")
    return (
        f"{person(request.asked_by)} asks for a new secret of *{registration.id}* ({name}), for"
        f" {days} days. {person(registration.requester)} gets it. The one in use works until the"
        " new one was seen, and for 7 days after that."
    )


def _asks_handover(registration: Registration, request: ApprovalRequest) -> str:
    heir = person(request.to) if request.to else "Somebody"
    return (
        f"{heir} is to take *{registration.id}* ({escaped(registration.form.name)}) over from"
        f" {person(registration.requester)}: its values and its secret go to whoever is the"
        f" requester. {person(request.asked_by)} asked for this; an approver has to confirm it."
    )


def _asks_purge(registration: Registration, request: ApprovalRequest) -> str:
    return (
        f"{person(request.asked_by)} asks to delete the application of *{registration.id}*"
        f" ({escaped(registration.form.name)}) for good. Nobody can restore it after this: it is"
        " removed from Deleted applications in Entra, too."
    )


def _approve_plan(registration: Registration, request: ApprovalRequest) -> str:
    return (
        "The bot creates this application in Entra and gives it the permissions listed, for the"
        f" whole tenant. Plan {(registration.digest or '')[:16]}."
    )


def _approve_handover(registration: Registration, request: ApprovalRequest) -> str:
    name = request.to.name if request.to else ""
    return (
        f"{name or 'The new requester'} gets whatever {registration.id} has, and the present"
        " requester loses it."
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


WORDS: Mapping[RequestKind, Words] = {
    RequestKind.PLAN: Words(
        thing="an application",
        asks=lambda registration, request: "",  # the card says it
        approve=_approve_plan,
        labels=("Approve", "Deny", "Cancel"),
        rest="This takes your registration back.",
    ),
    RequestKind.ROTATION: Words(
        thing="a new secret",
        asks=_asks_rotation,
        approve=lambda *_: "The bot makes a new secret in Entra, beside the one in use.",
        labels=("Confirm the rotation", "Deny the rotation", "Cancel the rotation"),
        rest="The current secret keeps working.",
        doing="a new secret is being made",
        done="a new secret was made",
        failed="no new secret could be made",
        again="rotate {id}",
    ),
    RequestKind.HANDOVER: Words(
        thing="another requester",
        asks=_asks_handover,
        approve=_approve_handover,
        labels=("Confirm the handover", "Deny the handover", "Cancel the handover"),
        rest="Its requester stays the same.",
        done="now belongs to {requester}",
        again="handover {id} @person",
        more=_known,
    ),
    RequestKind.PURGE: Words(
        thing="deletion for good",
        asks=_asks_purge,
        approve=lambda *_: "Nobody can restore the application after this.",
        labels=("Confirm the purge", "Deny the purge", "Cancel the purge"),
        rest="An administrator can still restore the application in Entra.",
        doing="it is being deleted for good",
        done="it was deleted for good",
        failed="it could not be deleted for good",
        again="purge {id}",
    ),
}
