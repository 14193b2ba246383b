"""The values: the notice that they are there, the sheet that shows them, the secret, the mask.

The notice is durable and holds no secret. The sheet is ephemeral. The secret stands in one
ephemeral message, in its blocks only, until it is masked.
"""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block, RichTextBlock
from slack_sdk.models.blocks.block_elements import (
    ButtonElement,
    RichTextElement,
    RichTextElementParts,
    RichTextPreformattedElement,
    RichTextSectionElement,
)

from bot.approval import REPLACEABLE
from bot.domain.connector_values import Line, Values
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import Secret, SecretState
from handlers.views import card_outcome, ids, rotation
from handlers.views.blocks import (
    Blocks,
    actions,
    button,
    context,
    drawn,
    escaped,
    header,
    section,
    when,
)

OPEN = "Copy the secret now. It is hidden after one minute and can't be shown again."

ONCE = "Only you can see the secret, and only once."
SHOWN = "The secret was shown once and is now hidden for good."
MAKE = "Press *Make a new one*."


def notice(registration: Registration, *, secret: str | None) -> Blocks:
    """Return the durable message that says the values are there, for the secret with this id."""
    if over := _why_over(registration, secret):
        return drawn([section(over)])
    return drawn(
        [
            header(notice_text(registration)),
            section(_made(registration)),
            *_failed(registration),
            context(_state(registration)),
            *_previous(registration),
            *actions(_notice_buttons(registration)),
        ]
    )


def notice_text(registration: Registration) -> str:
    return f"{registration.id}: your connector values"


def notice_spoken(registration: Registration, *, secret: str | None) -> str:
    """Return the notice as notifications and screen readers say it."""
    if over := _why_over(registration, secret):
        return over
    name = escaped(registration.form.name)
    if _is_untold(registration.secret):
        return f"{notice_text(registration)}. {name} is ready."
    return f"{notice_text(registration)}. {name} {_outcome(registration)}"


def _why_over(registration: Registration, secret: str | None) -> str | None:
    """Return why there is nothing more to be had from this notice, if that is so."""
    if why := _why_dead(registration):
        return why
    current = registration.secret
    if current is None or current.id != secret:
        return _of_another(registration, secret)
    return None


def _of_another(registration: Registration, secret: str | None) -> str:
    """Say how a secret ended that is not the newest."""
    id = registration.id
    found = next((it for it in registration.other_secrets if it.id == secret), None)
    if found is not None and found.is_live:
        return f"A newer secret of {id} has a message of its own. {rotation.previous(registration)}"
    if found is not None and found.has_lapsed:
        return (
            f"This new secret of {id} wasn't picked up within 7 days, so it was deleted. The"
            f" previous one keeps working. `{ids.COMMAND} rotate {id}` asks again."
        )
    return f"The secret of {id} was replaced by a newer one."


def _made(registration: Registration) -> str:
    name = escaped(registration.form.name)
    if _is_untold(registration.secret):
        return f"*{name}* is ready."
    return f"*{name}* {_outcome(registration)}"


def _outcome(registration: Registration) -> str:
    """Say that it was tested; after a replacement, that the old secret no longer works."""
    match registration.secret.made_by if registration.secret else None:
        case RunKind.ADD_SECRET:
            return "has a new secret. It was tested: sign-in works."
        case RunKind.REPLACE_SECRET if registration.previous_secret is None:
            return "has a new secret. It was tested: sign-in works. The old one no longer works."
        case RunKind.REPLACE_SECRET:
            return "has a new secret. It was tested: sign-in works."
        case _:
            return "was created and tested: sign-in works."


def _is_rotated(secret: Secret | None) -> bool:
    return secret is not None and secret.made_by is RunKind.ADD_SECRET


def _is_untold(secret: Secret | None) -> bool:
    """Whether nothing is known of how the secret was made, as after a restore."""
    return _is_rotated(secret) and secret is not None and secret.state is SecretState.UNKNOWN


def _previous(registration: Registration) -> Iterator[Block]:
    if words := rotation.previous(registration):
        yield context(words)


def _why_dead(registration: Registration) -> str | None:
    """Return why the values no longer work, if that is so."""
    match registration.status:
        case Status.REVOKING:
            return f"{registration.id} is being revoked, so its values can't be used."
        case Status.REVOKED:
            return f"{registration.id} was revoked: its values no longer work."
        case Status.READY if registration.has_expired and not _may_be_made_anew(registration):
            return f"{registration.id}: {card_outcome.expired(registration)}"
        case _:
            return None


def _may_be_made_anew(registration: Registration) -> bool:
    """Whether there is something else to do than to ask for a rotation."""
    doubtful = registration.secret is not None and registration.secret.state is SecretState.UNKNOWN
    return doubtful or registration.awaits_secret


def sheet(found: Values) -> Blocks:
    """Return the ephemeral sheet of values, with the secret masked or in the clear."""
    hint = OPEN if found.is_open else _why_dead(found.registration) or _state(found.registration)
    return _drawn(found, hint, _sheet_buttons(found))


def masked_sheet(found: Values) -> Blocks:
    """Return the sheet that replaces the one with the open secret."""
    secret = found.registration.secret
    if secret is not None and secret.state in (SecretState.CLAIMED, SecretState.SHOWN):
        return _drawn(found, SHOWN, [])
    return sheet(found)


def _drawn(found: Values, hint: str, buttons: list[ButtonElement]) -> Blocks:
    return drawn(
        [
            header(f"{found.registration.id} · {found.title}"),
            *(_line(line) for line in found.lines),
            section(_next_steps(found)),
            context(hint),
            *actions(buttons),
        ]
    )


def _next_steps(found: Values) -> str:
    """Say where the values go: after a rotation the connector exists already."""
    registration = found.registration
    if not _is_rotated(registration.secret) and registration.previous_secret is None:
        return found.next_steps
    key = next(line.label for line in found.lines if line.is_secret)
    return f"Open the existing connector, replace the {key}, save."


def sheet_text(found: Values) -> str:
    """Return the text for notifications and screen readers: never a value."""
    return f"{found.registration.id}: connector values"


def _line(line: Line) -> RichTextBlock:
    # Preformatted text is shown as it is, and one click copies it.
    parts = RichTextElementParts
    elements: list[RichTextElement] = [
        RichTextSectionElement(
            elements=[parts.Text(text=line.label, style=parts.TextStyle(bold=True))]
        ),
        RichTextPreformattedElement(elements=[parts.Text(text=line.text)]),
    ]
    return RichTextBlock(elements=elements)


def _failed(registration: Registration) -> Iterator[Block]:
    failure = registration.failure
    if failure is not None and registration.run is None:
        words = f"{failure.sentence} {failure.advice}"
        yield section(f":x: *No new secret was made.* {escaped(words)}")


def _state(registration: Registration) -> str:
    secret = registration.secret
    if registration.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET):
        return "A new secret is being made. You get a message when it works."
    match secret.state if secret else None:
        case SecretState.SEALED if registration.deadline is not None:
            return (
                f"{ONCE} Pick it up by {when(registration.deadline)}, or it will be deleted from"
                " Entra."
            )
        case SecretState.SEALED:
            return ONCE
        case SecretState.CLAIMED:
            return "The secret is being shown."
        case SecretState.SHOWN:
            return (
                "The secret was shown to you. It is hidden after one minute, or when you press"
                " *Hide*."
            )
        case SecretState.MASKED if registration.previous_requesters:
            return (
                f"{SHOWN} If you didn't save it, or if it was shown before this was handed over"
                " to you, press *Make a new one*."
            )
        case SecretState.MASKED:
            return f"{SHOWN} If you didn't save it, press *Make a new one*."
        case SecretState.UNMASKED:
            return (
                "The secret could not be hidden. Reload Slack to remove it from the screen. If"
                " anyone else may have seen it, press *Make a new one*."
            )
        case SecretState.UNKNOWN:
            return f"It is unknown whether the secret was seen. {MAKE}"
        case SecretState.CLOSED:
            return (
                "The secret wasn't picked up within 7 days, so it is being deleted from Entra."
                f" {MAKE}"
            )
        case SecretState.REMOVED:
            return (
                f"The secret wasn't picked up within 7 days, so it was deleted from Entra. {MAKE}"
            )
        case SecretState.REPLACED:
            return f"The secret was replaced by one that failed. {MAKE}"
        case _:
            return "There is no secret."


def _notice_buttons(registration: Registration) -> list[ButtonElement]:
    get = get_button(registration.id)
    return [get, *_renew(registration), *rotation.retire_buttons(registration)]


def get_button(id: str) -> ButtonElement:
    return button("Get the values", ids.VALUES, id, style="primary")


def _sheet_buttons(found: Values) -> list[ButtonElement]:
    registration = found.registration
    if found.is_open:
        return [button("Hide", ids.HIDE, registration.id, style="primary")]
    secret = registration.secret
    if secret is not None and secret.state is SecretState.SEALED:
        return [button("Show the secret", ids.REVEAL, registration.id, style="primary")]
    return _renew(registration)


def _renew(registration: Registration) -> list[ButtonElement]:
    secret = registration.secret
    if secret is None or secret.state not in REPLACEABLE or registration.run is not None:
        return []
    if registration.status is not Status.READY:
        return []
    return [renew_button(registration)]


def renew_button(registration: Registration) -> ButtonElement:
    confirm = "The bot makes a new secret; the old one stops working."
    if registration.previous_secret is not None:
        confirm = "The bot makes another new secret; the previous one keeps working."
    return button("Make a new one", ids.RENEW, registration.id, confirm=confirm)
