"""The buttons of a card, for approvers and for the requester."""

from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ASKABLE_AGAIN
from bot.domain.registration import Registration, Status
from handlers.views import ids, revocation, rotation
from handlers.views.blocks import (
    button,
)

STUCK = (Status.PLANNING, Status.APPROVED, Status.FAILED, Status.REVOKING)
"""States in which it matters first of all why it does not go on."""


def approver_buttons(registration: Registration) -> list[ButtonElement]:
    id = registration.id
    if registration.status is Status.PENDING:
        return [
            button(
                "Approve",
                ids.APPROVE,
                id,
                style="primary",
                confirm=f"The bot creates this application in Entra and gives it the permissions"
                f" listed, for the whole tenant. Plan {(registration.digest or '')[:16]}.",
            ),
            button("Deny", ids.DENY, id),
            *_withdraw_button(registration),
        ]
    return [
        *rotation.decide_buttons(registration),
        *rotation.retire_buttons(registration),
        *_repair_buttons(registration),
    ]


def _withdraw_button(registration: Registration) -> list[ButtonElement]:
    if not registration.approvals():
        return []
    return [button("Withdraw my approval", ids.WITHDRAW, registration.id)]


def requester_buttons(registration: Registration) -> list[ButtonElement]:
    """Return what the requester can do now."""
    if registration.status is Status.PENDING:
        confirm = "This takes your registration back."
        return [button("Cancel", ids.CANCEL, registration.id, confirm=confirm)]
    if registration.status in ASKABLE_AGAIN:
        return [button("Ask again", ids.AGAIN, registration.id, style="primary")]
    return [
        *rotation.requester_buttons(registration),
        *rotation.retire_buttons(registration),
        *_repair_buttons(registration),
    ]


def _repair_buttons(registration: Registration) -> list[ButtonElement]:
    if registration.status is not Status.FAILED or registration.run is not None:
        return revocation.buttons(registration)
    confirm = "The bot removes from Entra what this registration has made."
    return [
        button("Retry", ids.RETRY, registration.id, style="primary"),
        button("Undo", ids.UNDO, registration.id, style="danger", confirm=confirm),
    ]
