"""Drift: messages on the tenant's differences from the plan."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block

from bot.domain.registration import Check, Registration, Status
from handlers.views import ui
from handlers.views.buttons import repair_buttons, revoke_buttons
from handlers.views.ids import COMMAND
from handlers.views.outcome import check_outcome, listed

AUDIT_LOG = (
    "The bot changes none of this. If this wasn't intended, ask your Entra administrators to check"
    " the audit log: it says who did it."
)


def report(registration: Registration) -> ui.Notice:
    """Return the message with the findings of a check."""
    check = registration.check
    assert check is not None
    said = f"{registration.id} {check_outcome(check)}"
    return said, ui.drawn(
        [ui.header(said), *_findings(registration, check), _foot(registration, check)]
    )


def alarm(registration: Registration) -> ui.Notice:
    """Tell the approvers of differences that may be an attack, and how to react."""
    id, check = registration.id, registration.check
    said = f"{id} was changed in Entra, and not by this bot"
    assert check is not None
    if not check.alarming:  # a later check found no difference
        return ui.over(said, f"*{id}* {check_outcome(check)}")
    name, owner = ui.escaped(registration.form.name), ui.person(registration.requester)
    remedy = "Undo" if registration.status is Status.FAILED else "Revoke"
    return said, ui.drawn(
        [
            ui.header(said),
            ui.section(f"*{name}*, requested by {owner}:\n{listed(check.alarming)}"),
            ui.section(f"{AUDIT_LOG} *{remedy}* removes the application from Entra."),
            *ui.actions([*repair_buttons(registration), *revoke_buttons(registration)]),
            _foot(registration, check),
        ]
    )


def kept_back(registration: Registration) -> ui.Notice:
    """Return the message for a person who is no longer requester or approver."""
    return ui.notice(
        f"{registration.id} was compared with the tenant as you asked. It is no longer yours, so"
        " only its requester and the approvers can read the findings."
    )


def asked(id: str) -> str:
    """Return the answer to a request for a check."""
    return (
        f"{ui.escaped(id.upper())} is being compared with the tenant. You get the result as a"
        " direct message, in a moment, or in a quarter of an hour if the bot has just changed"
        " something."
    )


def _findings(registration: Registration, check: Check) -> Iterator[Block]:
    if check.failure is not None:
        yield ui.section(ui.escaped(check.failure))
        yield ui.section("The bot checks again tomorrow. Nothing was changed.")
    if check.differences:
        yield ui.section(listed(check.differences))
        if not registration.has_expired or len(check.differences) > 1:
            yield ui.section(AUDIT_LOG)  # time alone lets a secret expire
    if check.unseen:
        yield ui.section(f"*The bot could not read*\n{listed(check.unseen)}")
    if check.tolerated:
        yield ui.context(listed(check.tolerated))


def _foot(registration: Registration, check: Check) -> Block:
    name, at = ui.escaped(registration.form.name), ui.when(check.at)
    again = f" · `{COMMAND} check {registration.id}` looks again"
    is_ready = registration.status is Status.READY
    return ui.context(f"*{name}* · {at}{again if is_ready else ''}")
