"""The buttons of a card, for approvers and for the requester."""

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ASKABLE_AGAIN
from bot.domain.registration import Registration, Status
from handlers.views import ids, requests, revocation, rotation
from handlers.views.blocks import (
    actions,
    button,
)

STUCK = (Status.PLANNING, Status.APPROVED, Status.FAILED, Status.REVOKING)
"""States in which it matters first of all why it does not go on."""


def approver_buttons(registration: Registration) -> list[Block]:
    others = [*rotation.retire_buttons(registration), *_repair_buttons(registration)]
    return [*requests.decide(registration), *actions(others)]


def requester_buttons(registration: Registration) -> list[ButtonElement]:
    """Return what the requester can do now."""
    cancel = requests.cancel_buttons(registration)
    if registration.status is Status.PENDING:
        return cancel
    if registration.status in ASKABLE_AGAIN:
        again = button("Ask again", ids.AGAIN, registration.id, style="primary")
        return [again, *cancel]
    return [
        *cancel,
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
