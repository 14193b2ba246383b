"""Expiry: what the requester and the approvers are told before the secret in use expires, and when
it has."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block

from bot.domain.expiry_stages import Expiry, Stage
from bot.domain.registration import Registration, Status
from handlers.views import ids, revocation, rotation
from handlers.views.blocks import Blocks, actions, context, drawn, escaped, person, section, when

STAYS = "The one in use works until 7 days after the new one was seen."
SEEN_TO = "its secret was replaced or removed in the meantime"


def text(registration: Registration, subject: str | None) -> str:
    if not _is_so(registration, subject):
        return f"{registration.id}: {SEEN_TO}"
    return f"{registration.id}: {_happens(subject)}"


def news(registration: Registration, subject: str | None) -> Blocks:
    """Tell the requester, and what to do next."""
    if not _is_so(registration, subject):
        return _over(registration)
    rest = _next(registration, subject, is_theirs=True)
    return drawn([section(_when(registration, subject)), *rest])


def for_approvers(registration: Registration, subject: str | None, *, has_left: bool) -> Blocks:
    """Tell the approvers: they can act if the requester does not, or is no longer there."""
    if not _is_so(registration, subject):
        return _over(registration)
    when_and_who = f"{_when(registration, subject)} {also_told(registration, has_left=has_left)}"
    rest = _next(registration, subject, is_theirs=False)
    return drawn([section(when_and_who), *rest])


def also_told(registration: Registration, *, has_left: bool) -> str:
    """Say that the requester is told, too, or why not and what approvers can do about that."""
    requester = person(registration.requester)
    if not has_left:
        return f"{requester} is told, too."
    return (
        f"The account of {requester}, the requester, is deactivated or gone, so only approvers are"
        f" told. `{ids.COMMAND} handover {registration.id} @person` gives it to someone else."
    )


def _is_so(registration: Registration, subject: str | None) -> bool:
    """Whether the secret that this is about is still the one in use."""
    secret = registration.secret_in_use
    is_it = secret is not None and secret.id == Expiry.read(subject).secret
    return is_it and registration.status is Status.READY and not registration.awaits_secret


def _over(registration: Registration) -> Blocks:
    return drawn([context(f"*{registration.id}*: {SEEN_TO}.")])


def _is_expired(subject: str | None) -> bool:
    return Expiry.read(subject).stage is Stage.OVER


def _happens(subject: str | None) -> str:
    return "the secret has expired" if _is_expired(subject) else "the secret is about to expire"


def _when(registration: Registration, subject: str | None) -> str:
    secret = registration.secret_in_use
    assert secret is not None
    assert secret.expires_at is not None
    name, at = escaped(registration.form.name), when(secret.expires_at)
    if _is_expired(subject):
        return (
            f"*{registration.id}*: the secret of *{name}* expired {at}."
            " The connector can no longer sign in with it."
        )
    return (
        f"*{registration.id}*: the secret of *{name}* expires {at}."
        " After that the connector can no longer sign in with it."
    )


def _next(registration: Registration, subject: str | None, *, is_theirs: bool) -> Iterator[Block]:
    has_button = rotation.can_be_asked(registration)
    stays = "" if _is_expired(subject) else f" {STAYS}"
    yield section(
        f"{_how(registration, has_button=has_button, is_theirs=is_theirs)}{stays}"
        " If it is no longer needed, *Revoke* deletes the application from Entra."
    )
    rotate = [rotation.rotate_button(registration.id)] if has_button else []
    yield from actions([*rotate, revocation.revoke_button(registration.id)])


def _how(registration: Registration, *, has_button: bool, is_theirs: bool) -> str:
    """Say how to come by a new secret: by a rotation, unless one was approved and lost since."""
    id = registration.id
    if registration.secret_in_use != registration.secret:
        lost = "The one that was meant to replace it is lost:"
        if is_theirs:
            return (
                f"{lost} you press *Make a new one*, which takes no approval."
                f" `{ids.COMMAND} values {id}` has the button."
            )
        return f"{lost} the requester presses *Make a new one*, which takes no approval."
    how = "*Rotate*" if has_button else f"`{ids.COMMAND} rotate {id}`"
    return f"{how} asks for a new one, which approvers confirm."
