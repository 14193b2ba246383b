"""The buttons of a registration."""

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ASKABLE_AGAIN
from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Registration, Status
from graph.rights import ConsentMode
from handlers.views import ids, requests, ui

REVOKE = (
    "The connector can no longer sign in: the bot deletes the secret, the grants and the"
    " application from Entra. An administrator can restore the application from Deleted"
    " applications in the Entra admin centre for 30 days."
)
UNDO = "The bot removes everything from Entra that this registration has created."
RETIRE = (
    "The bot removes it from Entra. A connector that still uses it can no longer sign in; the new"
    " one works as before."
)


def approver_buttons(registration: Registration) -> list[Block]:
    others = [
        *retire_buttons(registration),
        *grant_buttons(registration),
        *repair_buttons(registration),
    ]
    return [*requests.decide(registration), *ui.actions(others)]


def requester_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the requester's actions in this state."""
    cancel = requests.cancel_buttons(registration)
    if registration.status is Status.PENDING:
        return cancel
    if registration.status in ASKABLE_AGAIN:
        return [ui.button("Ask again", ids.AGAIN, registration.id, style="primary"), *cancel]
    return [
        *cancel,
        *idle_rotate_buttons(registration),
        *retire_buttons(registration),
        *repair_buttons(registration),
    ]


def idle_rotate_buttons(registration: Registration) -> list[ButtonElement]:
    return rotate_buttons(registration) if registration.run is None else []


def rotate_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Rotate* where a rotation can be asked for, perhaps after a run that soon ends."""
    secret, previous = registration.secret, registration.previous_secret
    is_free = secret is not None and secret.may_be_followed and previous is None
    is_asked = registration.waiting(RequestKind.ROTATION) is not None
    if registration.status is Status.READY and is_free and not is_asked:
        return [rotate_button(registration.id)]
    return []


def rotate_button(id: str) -> ButtonElement:
    confirm = (
        "Approvers are asked for a new secret beside the one in use, which goes on working until"
        " you have changed over."
    )
    return ui.button("Rotate", ids.ROTATE, id, confirm=confirm)


def retire_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button that removes the previous secret before its time, where that can be."""
    found, id = registration.previous_secret, registration.id
    retires = found is not None and found.remove_at is not None and not found.removal_began
    if registration.status is Status.READY and retires:
        return [ui.button("Remove the previous secret", ids.RETIRE, id, confirm=RETIRE)]
    return []


def renew_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Make a new one* where the newest secret may be replaced."""
    secret, is_idle = registration.secret, registration.run is None
    is_replaceable = secret is not None and secret.may_be_replaced and is_idle
    if registration.status is Status.READY and is_replaceable:
        return [renew_button(registration)]
    return []


def renew_button(registration: Registration) -> ButtonElement:
    confirm = "The bot makes a new secret; the old one stops working."
    if registration.previous_secret is not None:
        confirm = "The bot makes another new secret; the previous one keeps working."
    return ui.button("Make a new one", ids.RENEW, registration.id, confirm=confirm)


def values_button(id: str) -> ButtonElement:
    return ui.button("Get the values", ids.VALUES, id, style="primary")


def revoke_button(id: str) -> ButtonElement:
    return ui.button("Revoke", ids.REVOKE, id, style="danger", confirm=REVOKE)


def grant_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Sign in and grant* where approvers do that."""
    is_waiting = registration.status is Status.WAITING_FOR_CONSENT
    if is_waiting and (registration.plan or {}).get("consent_mode") == ConsentMode.SIGNED_IN:
        return [ui.button("Sign in and grant", ids.GRANT, registration.id, style="primary")]
    return []


def repair_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the actions that remove a registration, or continue a run that stopped."""
    id, is_idle = registration.id, registration.run is None
    match registration.status:
        case Status.READY:
            return [revoke_button(id)]
        case Status.WAITING_FOR_CONSENT:
            return [ui.button("Look now", ids.CHECK_CONSENT, id), revoke_button(id)]
        case Status.REVOKING if is_idle:
            return [ui.button("Try again", ids.REVOKE, id, style="primary")]
        case Status.FAILED if is_idle:
            retry = ui.button("Retry", ids.RETRY, id, style="primary")
            return [retry, ui.button("Undo", ids.UNDO, id, style="danger", confirm=UNDO)]
        case _:
            return []
