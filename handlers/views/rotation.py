"""Rotation: how to ask for one, and what becomes of the secret before."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ROTATABLE
from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from handlers.views import ids, requests
from handlers.views.blocks import Blocks, button, context, drawn, question, section, when

SEEN_FIRST = "The previous secret works until the new one was seen, and for 7 days after that."

RETIRE = (
    "The bot removes it from Entra. A connector that still uses it can sign in no more; the new one"
    " works as before."
)


def lines(registration: Registration) -> Iterator[Block]:
    """Yield what the card of a registration that is ready says of its rotation."""
    if registration.run is RunKind.ADD_SECRET:
        yield context("A new secret is being made. The one in use works as before.")
        yield from requests.under_way(registration, RequestKind.ROTATION)
    if words := previous(registration):
        yield context(words)


def previous(registration: Registration) -> str:
    """Say how long the secret before the newest one stays, if there is one.

    The words are true before its date and after that: they may stand there for longer.
    """
    found = registration.previous_secret
    if found is None:
        return ""
    if found.retires_at is None:
        return SEEN_FIRST
    if found.removal_began:
        return "The previous secret is being removed from Entra."
    return f"The previous secret is removed as of {when(found.retires_at)}"


def requester_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button that asks for a rotation, where that can be."""
    is_idle = registration.run is None
    return [rotate_button(registration.id)] if is_idle and can_be_asked(registration) else []


def can_be_asked(registration: Registration) -> bool:
    """Whether a rotation can be asked for, but for work that is over in a moment."""
    secret = registration.secret
    if registration.status is not Status.READY or secret is None or secret.state not in ROTATABLE:
        return False
    is_asked = registration.waiting(RequestKind.ROTATION) is not None
    return not is_asked and registration.previous_secret is None


def rotate_button(id: str) -> ButtonElement:
    confirm = (
        "Approvers are asked for a new secret beside the one in use, which goes on working until"
        " you have changed over."
    )
    return button("Rotate", ids.ROTATE, id, confirm=confirm)


def retire_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button that removes the previous secret before its time, where that can be."""
    found = registration.previous_secret
    if registration.status is not Status.READY or found is None or found.retires_at is None:
        return []
    if found.removal_began:
        return []
    id = registration.id
    return [button("Remove the previous secret", ids.RETIRE, id, confirm=RETIRE)]


def ask_whether_to_retire(id: str) -> tuple[str, Blocks]:
    text = f"Remove the previous secret of {id} now? {RETIRE}"
    return question(text, "Remove the previous secret", ids.RETIRE_ASKED, id, RETIRE)


def retired_text(registration: Registration) -> str:
    return f"{registration.id}: the previous secret is removed from Entra"


def retired(registration: Registration) -> Blocks:
    """Tell the requester that only one secret is left."""
    said = "the previous secret is removed from Entra. Only the new one works now."
    return drawn([section(f"*{registration.id}*: {said}")])
