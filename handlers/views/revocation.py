"""What is being taken back, or was: what the card says of it, and what can be done next."""

from collections.abc import Iterator

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.domain.registration import Deleted, Registration, Status
from bot.domain.runs import RunKind
from graph.orphans import KEPT
from handlers.views import ids
from handlers.views.blocks import (
    Blocks,
    button,
    context,
    drawn,
    escaped,
    person,
    question,
    section,
    when,
)

REVOKE = (
    "The connector can no longer sign in: the bot deletes the secret, the grants and the"
    " application from Entra. An administrator can restore the application from Deleted"
    " applications in the Entra admin centre for 30 days."
)
UNDO = "The bot removes from Entra what this registration has made."
NOTHING_LEFT = "Everything this registration had made in Entra is removed."


def standing(registration: Registration) -> Iterator[Block]:
    """Yield who took it back, what is left, and for how long that can be restored."""
    revocation = registration.revocation
    if revocation is not None:
        yield context(f"Revocation asked for by {person(revocation.by)} {when(revocation.at)}")
    if registration.status is Status.REVOKING:
        yield section(_revoking(registration))
        return
    if registration.deadline is None:
        yield context(NOTHING_LEFT)
    if registration.status is Status.REVOKED:
        yield context("The connector can no longer sign in.")
    yield from _bin(registration)


def notice_text(registration: Registration) -> str:
    """Return the notice to approvers in a breath; names are written out, to call nobody."""
    revocation, name = registration.revocation, escaped(registration.form.name)
    who = escaped(revocation.by.name) if revocation else "Somebody"
    return f"{who} has revoked {registration.id} ({name})"


def notice(registration: Registration) -> Blocks:
    """Tell the approvers that somebody has revoked a registration that was ready."""
    revocation, name = registration.revocation, escaped(registration.form.name)
    who = person(revocation.by) if revocation else "Somebody"
    return drawn(
        [
            section(f"{who} has revoked *{registration.id}* ({name})."),
            context("The connector can no longer sign in once its card says that this is done."),
        ]
    )


def _revoking(registration: Registration) -> str:
    if registration.run is not None:
        return "The bot is removing what this registration has made in Entra."
    return "The connector may still be able to sign in: not everything is removed from Entra yet."


def _bin(registration: Registration) -> Iterator[Block]:
    """Say what has become of the application that was deleted."""
    if registration.purged_at is not None:
        at = when(registration.purged_at)
        yield context(f"Deleted for good, as of {at}: nobody can restore it.")
        return
    applications = [each for each in registration.deleted if each.step == "application"]
    if applications:
        yield context(
            f"Application (client) ID `{applications[-1].app_id}`. An administrator can restore it"
            f" from *Deleted applications* in the Entra admin centre {_until(applications[-1])}."
            " Approvers can delete it for good:"
            f" `{ids.COMMAND} purge {registration.id}`"
        )


def _until(deleted: Deleted) -> str:
    if deleted.was_there:
        return f"until {when(deleted.at + KEPT)}"
    return "for 30 days after it was deleted there"


def headline(status: Status, run: RunKind | None) -> str | None:
    """Return what is going on, if something is being taken back."""
    if run is RunKind.UNDO:
        return "is being undone"
    if run is RunKind.PURGE:
        return "is being deleted for good"
    if status is Status.REVOKING and run is None:
        return "is not revoked yet"
    return None


def buttons(registration: Registration) -> list[ButtonElement]:
    """Return what revokes a registration that is ready, or tries that again at once."""
    id = registration.id
    if registration.status is Status.READY:
        return [revoke_button(id)]
    if registration.status is Status.REVOKING and registration.run is None:
        return [button("Try again", ids.REVOKE, id, style="primary")]
    return []


def revoke_button(id: str) -> ButtonElement:
    return button("Revoke", ids.REVOKE, id, style="danger", confirm=REVOKE)


def ask_whether_to_undo(id: str) -> tuple[str, Blocks]:
    return question(f"Undo {id}? {UNDO}", "Undo", ids.UNDO_ASKED, id, UNDO)


def ask_whether_to_revoke(id: str) -> tuple[str, Blocks]:
    return question(f"Revoke {id}? {REVOKE}", "Revoke", ids.REVOKE_ASKED, id, REVOKE)
