"""Rotation: what approvers are asked, what cards say of it, what the requester is told."""

from collections.abc import Iterator, Mapping

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.approval import ROTATABLE
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import Rotation, RotationNews, RotationState
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from handlers.views import approvers, ids
from handlers.views.blocks import (
    Blocks,
    actions,
    button,
    context,
    drawn,
    escaped,
    person,
    question,
    section,
    when,
)

SEEN_FIRST = "The previous secret works until the new one was seen, and for 7 days after that."

RETIRE = (
    "The bot removes it from Entra. A connector that still uses it can sign in no more; the new one"
    " works as before."
)

OUTCOMES: Mapping[RotationState, str] = {
    RotationState.CONFIRMED: "a new secret is being made",
    RotationState.DONE: "a new secret was made",
    RotationState.FAILED: "no new secret could be made",
    RotationState.DENIED: "the rotation was denied",
    RotationState.EXPIRED: "the rotation expired, because nobody decided in time",
    RotationState.WITHDRAWN: "the rotation was withdrawn, because it was handed over",
    RotationState.CANCELLED: "the rotation was cancelled",
}


def request_text(registration: Registration) -> str:
    return f"{registration.id}: a new secret is asked for"


def request(registration: Registration, quorum: Quorum, *, rotation: str | None) -> Blocks:
    """Ask the approvers to decide; once it is decided, say what came of it."""
    latest = registration.rotation
    if latest is None or latest.id != rotation or registration.status is not Status.READY:
        return drawn([section(f"*{registration.id}*: this request for a new secret is over.")])
    if latest.state in OUTCOMES:
        return drawn(
            [section(f"*{registration.id}*: {OUTCOMES[latest.state]}."), *_votes(registration)]
        )
    name = escaped(registration.form.name)
    days = (registration.plan or {}).get("secret_days")
    return drawn(
        [
            section(
                f"{person(latest.asked_by)} asks for a new secret of *{registration.id}* ({name})"
                f", for {days} days. {person(registration.requester)} gets it. The one in use"
                " works until the new one was seen, and for 7 days after that."
            ),
            *_waits(registration, quorum),
            *actions([*decide_buttons(registration), *_cancel_buttons(registration)]),
        ]
    )


def lines(registration: Registration, quorum: Quorum) -> Iterator[Block]:
    """Yield what the card of a registration that is ready says of its rotation."""
    asked = registration.asked_rotation
    if asked is not None:
        yield context(
            f"A new secret was asked for by {person(asked.asked_by)} {when(asked.asked_at)}"
        )
        yield from _waits(registration, quorum)
    elif registration.rotation is not None and registration.run is RunKind.ADD_SECRET:
        yield context("A new secret is being made. The one in use works as before.")
        yield from _votes(registration)
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
    """Return the button that asks for a rotation, or takes that back, where either can be."""
    if registration.asked_rotation is not None:
        return [_cancel_button(registration.id, registration.asked_rotation)]
    is_idle = registration.run is None
    return [rotate_button(registration.id)] if is_idle and can_be_asked(registration) else []


def can_be_asked(registration: Registration) -> bool:
    """Whether a rotation can be asked for, but for work that is over in a moment."""
    secret = registration.secret
    if registration.status is not Status.READY or secret is None or secret.state not in ROTATABLE:
        return False
    return registration.asked_rotation is None and registration.previous_secret is None


def rotate_button(id: str) -> ButtonElement:
    confirm = (
        "Approvers are asked for a new secret beside the one in use, which goes on working until"
        " you have changed over."
    )
    return button("Rotate", ids.ROTATE, id, confirm=confirm)


def _cancel_buttons(registration: Registration) -> list[ButtonElement]:
    """Return the button for an approver who has asked: the requester's stands on their own card."""
    asked = registration.asked_rotation
    if asked is None or asked.asked_by.key == registration.requester.key:
        return []
    return [_cancel_button(registration.id, asked)]


def _cancel_button(id: str, rotation: Rotation) -> ButtonElement:
    value = ids.bound_value(id, rotation.id)
    confirm = "No new secret is made then. The one in use works as before."
    return button("Cancel the rotation", ids.CANCEL_ROTATION, value, confirm=confirm)


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


def decide_buttons(registration: Registration) -> list[ButtonElement]:
    """Return what approvers can do with a rotation that waits."""
    asked = registration.asked_rotation
    if asked is None:
        return []
    value = ids.bound_value(registration.id, asked.id)
    confirm = "The bot makes a new secret in Entra, beside the one in use."
    return [
        button(
            "Confirm the rotation", ids.CONFIRM_ROTATION, value, style="primary", confirm=confirm
        ),
        button("Deny the rotation", ids.DENY_ROTATION, value),
    ]


def news_text(registration: Registration, news: str | None) -> str:
    return f"{registration.id}: {NEWS[RotationNews(news or '')]}"


def news(registration: Registration, what: str | None) -> Blocks:
    """Tell the requester what became of a rotation, and what to do next."""
    found = RotationNews(what or "")
    words = [f"*{registration.id}*: {NEWS[found]}."]
    if found is RotationNews.FAILED and registration.failure is not None:
        words.append(escaped(f"{registration.failure.sentence} {registration.failure.advice}"))
    words.append(NEXT[found].format(again=f"`{ids.COMMAND} rotate {registration.id}`"))
    return drawn([section(" ".join(words))])


NEWS: Mapping[RotationNews, str] = {
    RotationNews.ASKED: "an approver has asked for a new secret",
    RotationNews.CANCELLED: "the new secret is no longer asked for",
    RotationNews.DENIED: "the rotation was denied",
    RotationNews.EXPIRED: "nobody decided on the rotation in time",
    RotationNews.FAILED: "no new secret could be made",
    RotationNews.RETIRED: "the previous secret is removed from Entra",
}
NEXT: Mapping[RotationNews, str] = {
    RotationNews.ASKED: "Others have to confirm it. You get a message when there is a new one.",
    RotationNews.CANCELLED: "The approver who asked has taken that back. The secret in use works as"
    " before.",
    RotationNews.DENIED: "The secret in use works as before.",
    RotationNews.EXPIRED: "The secret in use works as before. {again} asks again.",
    RotationNews.FAILED: "The secret in use works as before. {again} asks again.",
    RotationNews.RETIRED: "Only the new one works now.",
}


def _waits(registration: Registration, quorum: Quorum) -> Iterator[Block]:
    """Who has confirmed it, who is missing, and until when."""
    yield from _votes(registration)
    if quorum.needed > 1:
        yield context(approvers.given(registration.confirmations(), quorum))
    if registration.rotation is not None:
        yield context(f"The request expires {when(registration.rotation.until)}")


def _votes(registration: Registration) -> Iterator[Block]:
    for vote in registration.lost_confirmations():
        yield context(approvers.lost(vote))
    for vote in registration.confirmations():
        yield context(f"Rotation confirmed by {person(vote.person)} {when(vote.at)}")
