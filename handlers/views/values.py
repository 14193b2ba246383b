"""The values: the notice that they are there, the sheet that shows them, the secret, the mask.

The notice is durable and holds no secret. The sheet is ephemeral. The secret stands in one
ephemeral message, in its blocks only, until it is masked.
"""

from collections.abc import Iterator
from datetime import timedelta

from slack_sdk.models.blocks import Block, RichTextBlock
from slack_sdk.models.blocks.block_elements import (
    ButtonElement,
    RichTextElementParts,
    RichTextPreformattedElement,
    RichTextSectionElement,
)

from bot.domain.forms import Line, Values
from bot.domain.lifetimes import SECRET_VISIBLE, UNREAD_SECRET
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import Secret, SecretState
from handlers.views import buttons, ids, ui
from handlers.views.outcome import UNREAD, expired, is_doubtful, previous

VISIBLE = "one minute" if timedelta(minutes=1) == SECRET_VISIBLE else ui.lasting(SECRET_VISIBLE)
OPEN = f"Copy the secret now. It is masked after {VISIBLE} and can't be shown again."
ONCE = "Only you can see the secret, and only once."
SHOWN = "The secret was shown once and is now masked for good."
MAKE = "Press *Make a new one*."
NONE = "There is no secret."
MAKING = "A new secret is being made. You get a message when it works."


def values_notice(registration: Registration, *, secret: str | None) -> ui.Notice:
    """Return the durable message that says the values are there, for the secret with this id."""
    if ended := _why_over(registration, secret):
        return ui.notice(ended)
    title = f"{registration.id}: your connector values"
    made = f"*{ui.escaped(registration.form.name)}* {_made(registration)}"
    below = [ui.section(made), *_failed(registration), ui.context(_state(registration))]
    if words := previous(registration):
        below.append(ui.context(words))
    offered = [
        buttons.values_button(registration),
        *buttons.renew_buttons(registration),
        *buttons.retire_buttons(registration),
    ]
    return f"{title}. {ui.aloud(made)}", ui.drawn([ui.header(title), *below, *ui.actions(offered)])


def _why_over(registration: Registration, secret: str | None) -> str | None:
    """Return why this notice offers nothing any more, if that is so."""
    if why := _why_dead(registration):
        return why
    id, current = registration.id, registration.secret
    if current is not None and current.id == secret:
        return None
    found = next((it for it in registration.other_secrets if it.id == secret), None)
    if found is not None and found.is_live:
        return f"A newer secret of {id} has a message of its own. {previous(registration)}"
    if found is not None and found.has_lapsed:
        return (
            f"This new secret of {id} wasn't picked up within {UNREAD_SECRET.days} days, so it was"
            f" deleted. The previous one keeps working. `{ids.COMMAND} rotate {id}` asks again."
        )
    return f"The secret of {id} was replaced by a newer one."


def _made(registration: Registration) -> str:
    """Say that it was tested; after a replacement, that the old secret no longer works.

    After a restore it may be unknown how the secret was made.
    """
    made_by = registration.secret.made_by if registration.secret else RunKind.REGISTER
    if made_by is RunKind.ADD_SECRET and is_doubtful(registration):
        return "is ready."
    if made_by not in (RunKind.ADD_SECRET, RunKind.REPLACE_SECRET):
        return "was created and tested: sign-in works."
    replaced = made_by is RunKind.REPLACE_SECRET and registration.previous_secret is None
    old = " The old one no longer works." if replaced else ""
    return f"has a new secret. It was tested: sign-in works.{old}"


def _why_dead(registration: Registration) -> str | None:
    """Return why the values no longer work, if that is so."""
    match registration.status:
        case Status.REVOKING:
            return f"{registration.id} is being revoked, so its values can't be used."
        case Status.REVOKED:
            return f"{registration.id} was revoked: its values no longer work."
        case Status.READY if registration.has_expired:
            # Unless a new secret is on its way, or takes no rotation.
            is_over = not is_doubtful(registration) and not registration.awaits_secret
            return f"{registration.id}: {expired(registration)}" if is_over else None
        case _:
            return None


def sheet(found: Values) -> ui.Notice:
    """Return the ephemeral sheet of values, with the secret masked or in the clear."""
    registration, secret = found.registration, found.registration.secret
    id, about = registration.id, ui.about(registration)
    if found.is_open:
        mask = ui.button("Mask now", ids.MASK, id, about=about, style="primary")
        return _drawn(found, OPEN, [mask])
    offered = buttons.renew_buttons(registration)
    if secret is not None and secret.is_unread:
        offered = [ui.button("Show the secret", ids.REVEAL, id, about=about, style="primary")]
    return _drawn(found, _why_dead(registration) or _state(registration), offered)


def masked_sheet(found: Values) -> ui.Notice:
    """Return the sheet that replaces the one with the open secret."""
    secret = found.registration.secret
    if secret is not None and secret.is_on_screen:
        return _drawn(found, SHOWN, [])
    return sheet(found)


def _drawn(found: Values, hint: str, offered: list[ButtonElement]) -> ui.Notice:
    # The text for notifications never has a value.
    return f"{found.registration.id}: connector values", ui.drawn(
        [
            ui.header(f"{found.registration.id} · {found.title}"),
            *(_line(line) for line in found.lines),
            ui.section(_next_steps(found)),
            ui.context(hint),
            *ui.actions(offered),
        ]
    )


def _next_steps(found: Values) -> str:
    """Say where the values go: after a rotation the connector exists already."""
    secret = found.registration.secret
    is_rotated = secret is not None and secret.made_by is RunKind.ADD_SECRET
    if not is_rotated and found.registration.previous_secret is None:
        return found.next_steps
    key = next(line.label for line in found.lines if line.is_secret)
    return f"Open the existing connector, replace the {key}, save."


def _line(line: Line) -> RichTextBlock:
    # Preformatted text is shown as it is, and one click copies it.
    text, bold = RichTextElementParts.Text, RichTextElementParts.TextStyle(bold=True)
    label = RichTextSectionElement(elements=[text(text=line.label, style=bold)])
    value = RichTextPreformattedElement(elements=[text(text=line.text)])
    return RichTextBlock(elements=[label, value])


def _failed(registration: Registration) -> Iterator[Block]:
    failure = registration.failure
    if failure is not None and registration.run is None:
        words = f"{failure.sentence} {failure.advice}"
        yield ui.section(f":x: *No new secret was made.* {ui.escaped(words)}")


def _state(registration: Registration) -> str:
    secret = registration.secret
    if registration.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET):
        return MAKING
    if secret is None:
        return NONE
    if secret.removed_because is not None:
        return f"{_why_removed(secret)}. {MAKE}"
    match secret.state:
        case SecretState.SEALED if registration.deadline is not None:
            until = ui.when(registration.deadline)
            return f"{ONCE} Pick it up by {until}, or it will be deleted from Entra."
        case SecretState.SEALED:
            return ONCE
        case SecretState.CLAIMED:
            return "The secret is being shown."
        case SecretState.SEEN:
            return _screen(registration, secret)
        case SecretState.UNKNOWN:
            return f"It is unknown whether the secret was seen. {MAKE}"
        case SecretState.ATTEMPTED:
            return NONE


def _why_removed(secret: Secret) -> str:
    if secret.is_superseded:
        return "The secret was replaced by one that failed"
    return UNREAD.replace("was deleted", "is being deleted") if secret.is_being_removed else UNREAD


def _screen(registration: Registration, secret: Secret) -> str:
    """Say of a secret that was seen whether it is still on the screen."""
    if secret.is_on_screen:
        return (
            f"The secret was shown to you. It is masked after {VISIBLE}, or when you press"
            " *Mask now*."
        )
    if secret.mask_failed:
        return (
            "The secret could not be masked. Reload Slack to remove it from the screen. If anyone"
            " else may have seen it, press *Make a new one*."
        )
    if registration.previous_requesters:
        return (
            f"{SHOWN} If you didn't save it, or if it was shown before this was handed over to you,"
            " press *Make a new one*."
        )
    return f"{SHOWN} If you didn't save it, press *Make a new one*."
