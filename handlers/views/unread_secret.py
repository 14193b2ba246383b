"""Secrets that were not picked up: the reminder, and the notices of their removal."""

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from handlers.views import expiry, ids, revocation, rotation, values
from handlers.views.blocks import Blocks, actions, context, drawn, escaped, section, when


def reminder_text(registration: Registration, secret: str | None) -> str:
    if not _waits(registration, secret):
        return f"{registration.id}: the secret no longer waits"
    return f"{registration.id}: the secret of {escaped(registration.form.name)} waits for you"


def reminder(registration: Registration, secret: str | None) -> Blocks:
    """Remind the requester that the secret waits, and for how long."""
    id, until = registration.id, registration.deadline
    if until is None or not _waits(registration, secret):
        return drawn([context(f"*{id}*: the secret no longer waits to be picked up.")])
    words = (
        f"*{id}*: the secret of *{escaped(registration.form.name)}* hasn't been picked up yet. Only"
        f" you can see it, and only once. Pick it up by {when(until)}, or it will be deleted from"
        " Entra."
    )
    return drawn([section(words), *actions([values.get_button(id)])])


def removed_text(registration: Registration) -> str:
    name = escaped(registration.form.name)
    return f"{registration.id}: the secret of {name} wasn't picked up, so it was deleted"


def removed(registration: Registration, secret: str | None) -> Blocks:
    """Tell the requester that the secret is gone, and how to get another."""
    happened, current = _removed(registration, secret), registration.secret
    if _has_lapsed(registration, secret):
        again = f"`{ids.COMMAND} rotate {registration.id}` asks for another."
        has_button = rotation.can_be_asked(registration)
        rotate = [rotation.rotate_button(registration.id)] if has_button else []
        return drawn([section(f"{happened} {again}"), *actions(rotate)])
    if current is None or current.id != secret or not _can_make_another(registration):
        return drawn([section(happened)])
    words = f"{happened} Press *Make a new one*: that takes no approval."
    return drawn([section(words), *actions([values.renew_button(registration)])])


def for_approvers(registration: Registration, secret: str | None, *, has_left: bool) -> Blocks:
    """Tell the approvers, who can take the application back."""
    told = expiry.also_told(registration, has_left=has_left)
    words = [_removed(registration, secret), told]
    if registration.status is not Status.READY:
        return drawn([section(" ".join(words))])
    words.append("If it is no longer needed, *Revoke* deletes the application from Entra.")
    revoke = revocation.revoke_button(registration.id)
    return drawn([section(" ".join(words)), *actions([revoke])])


def _waits(registration: Registration, secret: str | None) -> bool:
    current = registration.secret
    return registration.is_unseen and current is not None and current.id == secret


def _removed(registration: Registration, secret: str | None) -> str:
    keeps = " The previous secret keeps working." if _has_lapsed(registration, secret) else ""
    return (
        f"*{registration.id}*: the secret of *{escaped(registration.form.name)}* wasn't picked up"
        f" within 7 days, so it was deleted from Entra.{keeps}"
    )


def _has_lapsed(registration: Registration, secret: str | None) -> bool:
    """Whether it was to follow another, which stays."""
    known = (registration.secret, *registration.other_secrets)
    return any(it is not None and it.id == secret and it.has_lapsed for it in known)


def _can_make_another(registration: Registration) -> bool:
    """Whether a new secret can be made, but for work that is over in a moment."""
    is_making = registration.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET)
    return registration.status is Status.READY and not is_making
