"""The buttons of a registration."""

from typing import Any

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ASKABLE_AGAIN
from bot.domain.approval_requests import RequestKind
from bot.domain.people import Refusal
from bot.domain.registration import Registration, Status
from bot.storage.queries import ListLine
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


WITH_CODE = (
    "You alone see the code, and enter it on Entra's own page. It is bound to no browser: if this"
    " one can open the bot's page, press Sign in and grant instead."
)


CONFIRMABLE = (ids.ROTATE, ids.RETIRE, ids.REVOKE)
"""The actions that a menu of rare ones may hold."""


def approver_buttons(registration: Registration, *, with_codes: bool = False) -> list[Block]:
    """Return a row for each request that waits, and one for all else."""
    rows: list[list[ui.Element]] = [list(each) for each in requests.decide(registration)]
    others = [
        *grant_buttons(registration, with_codes=with_codes),
        *repair_buttons(registration),
        *details_buttons(registration),
        *ui.menu([*retire_buttons(registration), *revoke_buttons(registration)]),
    ]
    if registration.status is Status.PENDING and rows:
        rows[0] += others
    else:
        rows.append(others)
    return [block for row in rows for block in ui.actions(row)]


def requester_buttons(registration: Registration) -> list[ui.Element]:
    """Return the requester's actions in this state."""
    cancel, details = requests.cancel_buttons(registration), details_buttons(registration)
    if registration.status is Status.PENDING:
        return [*cancel, *details]
    if registration.status in ASKABLE_AGAIN:
        again = _button("Ask again", ids.AGAIN, registration, style="primary")
        return [again, *cancel, *details]
    return [
        *cancel,
        *repair_buttons(registration),
        *details,
        *ui.menu(rare_buttons(registration)),
    ]


def rare_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the requester's rare actions, which a menu holds."""
    return [
        *idle_rotate_buttons(registration),
        *retire_buttons(registration),
        *revoke_buttons(registration),
    ]


def confirmation(registration: Registration, action: str) -> ui.Json:
    """Return the modal that asks before a rare action is carried out. Raises Refusal if it is not
    offered any more.
    """
    found = next((it for it in rare_buttons(registration) if it.action_id == action), None)
    if found is None or found.text is None or found.confirm is None:
        raise Refusal(f"{registration.id} has changed. Its card shows the actions there are now.")
    blocks = [
        ui.section(f"*{found.text.text}*: {ui.named(registration)}"),
        ui.section(found.confirm.to_dict()["text"]["text"]),
    ]
    return ui.modal(
        registration.id,
        blocks,
        close="Not now",
        submit=found.text.text.split()[0],
        callback_id=ids.CONFIRMED,
        private_metadata=f"{action} {registration.id}",
    )


def read_entry(value: object) -> tuple[str, str]:
    """Return the action and the registration's id of an entry of a menu, or of the form that asks
    before it is carried out. Raises Refusal.
    """
    action, _, id = str(value).partition(" ")
    if action not in CONFIRMABLE:
        raise Refusal("This menu isn't from this bot. `/aad-setup status` lists yours.")
    return action, id


def _button(text: str, action: str, registration: Registration, **more: Any) -> ButtonElement:
    return ui.button(text, action, registration.id, about=ui.about(registration), **more)


def details_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Details*, the whole plan, once there is one."""
    return [_button("Details", ids.DETAILS, registration)] if registration.plan is not None else []


def idle_rotate_buttons(registration: Registration) -> list[ButtonElement]:
    return rotate_buttons(registration) if registration.run is None else []


def rotate_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Rotate* where a rotation can be asked for, perhaps after a run that soon ends."""
    secret, previous = registration.secret, registration.previous_secret
    is_free = secret is not None and secret.may_be_followed and previous is None
    is_asked = registration.waiting(RequestKind.ROTATION) is not None
    if registration.status is Status.READY and is_free and not is_asked:
        return [rotate_button(registration)]
    return []


def rotate_button(it: Registration | ListLine) -> ButtonElement:
    confirm = (
        "Approvers are asked for a new secret beside the one in use, which goes on working until"
        " you have changed over."
    )
    return ui.button("Rotate", ids.ROTATE, it.id, about=ui.about(it), confirm=confirm)


def retire_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button that removes the previous secret before its time, where that can be."""
    found = registration.previous_secret
    retires = found is not None and found.remove_at is not None and not found.removal_began
    if registration.status is Status.READY and retires:
        return [_button("Remove the previous secret", ids.RETIRE, registration, confirm=RETIRE)]
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
    return _button("Make a new one", ids.RENEW, registration, confirm=confirm)


def values_button(registration: Registration) -> ButtonElement:
    return _button("Get the values", ids.VALUES, registration, style="primary")


def revoke_button(registration: Registration) -> ButtonElement:
    return _button("Revoke", ids.REVOKE, registration, style="danger", confirm=REVOKE)


def revoke_buttons(registration: Registration) -> list[ButtonElement]:
    """Return *Revoke* where it is a rare action."""
    is_revocable = registration.status in (Status.READY, Status.WAITING_FOR_CONSENT)
    return [revoke_button(registration)] if is_revocable else []


def grant_buttons(registration: Registration, *, with_codes: bool) -> list[ButtonElement]:
    """Return *Sign in and grant* where approvers do that, and the button for a code if they may."""
    is_waiting = registration.status is Status.WAITING_FOR_CONSENT
    if is_waiting and (registration.plan or {}).get("consent_mode") == ConsentMode.SIGNED_IN:
        grant = _button("Sign in and grant", ids.GRANT, registration, style="primary")
        by_code = ids.GRANT_WITH_CODE
        code = _button("Sign in with a code", by_code, registration, confirm=WITH_CODE)
        return [grant, code] if with_codes else [grant]
    return []


def repair_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the actions that continue a registration that stopped, or undo it."""
    is_idle = registration.run is None
    match registration.status:
        case Status.WAITING_FOR_CONSENT:
            return [_button("Look now", ids.CHECK_CONSENT, registration)]
        case Status.REVOKING if is_idle:
            return [_button("Try again", ids.REVOKE, registration, style="primary")]
        case Status.FAILED if is_idle:
            undo = _button("Undo", ids.UNDO, registration, style="danger", confirm=UNDO)
            return [_button("Retry", ids.RETRY, registration, style="primary"), undo]
        case _:
            return []
