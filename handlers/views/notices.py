"""Notices: messages of a few sentences about an event, with the buttons that answer them."""

from collections.abc import Iterator, Mapping

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.domain.approval_requests import Quorum
from bot.domain.events import Event, Subject
from bot.domain.lifetimes import PREVIOUS_SECRET, UNREAD_SECRET
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import Stage
from bot.restore.reconciliation import Report
from bot.storage.history import Entry
from handlers.views import buttons, ids, requests, ui
from handlers.views.card import headline
from handlers.views.outcome import is_doubtful

ANSWERABLE = (Status.REFUSED, Status.DENIED, Status.EXPIRED, Status.FAILED, Status.UNDONE)
"""States that the requester can answer by a button: *Ask again*, *Retry*, *Undo*."""
STOPPED = {Status.FAILED: "failed", Status.REVOKING: "is not revoked yet: it stopped"}
DECISIONS: Mapping[str, str] = {
    Event.APPROVED: "approved",
    Event.WITHDRAWN: "withdrew their approval of",
}
"""The words for a vote that leaves the plan waiting, by its event."""
REVOKE = "If it is no longer needed, *Revoke* deletes the application from Entra."
SEEN_TO = "its secret was replaced or removed in the meantime"
HEADLINE = "An older copy of the bot's database was restored"
MOST_NAMED = 20
"""Maximum number of names in a line: a message in Slack takes a few thousand characters."""


def news(registration: Registration, latest: Entry | None, quorum: Quorum) -> ui.Notice:
    """Notify the requester: who did it, why, and the next buttons. `latest` is the newest history
    entry.
    """
    words, revocation = _news(registration, latest, quorum), registration.revocation
    people = [vote.person for vote in registration.votes]
    is_answerable = registration.status in ANSWERABLE and registration.run is None
    return ui.notice(
        words,
        spoken=ui.aloud(words, *people, *([revocation.by] if revocation else ())),
        buttons=buttons.requester_buttons(registration) if is_answerable else (),
    )


def _news(registration: Registration, latest: Entry | None, quorum: Quorum) -> str:
    name, failure, status = ui.named(registration), registration.failure, registration.status
    reason = "\n".join(map(ui.escaped, registration.reasons))
    if failure is not None and status in STOPPED:
        why = f"{STOPPED[status]} at “{failure.step}”: {failure.sentence} {failure.advice}"
        return f"{name} {ui.escaped(why)}"
    match status:
        case Status.PENDING:
            count = requests.given(registration.approvals(), quorum)
            if latest is not None and latest.what in DECISIONS:
                return f"<@{latest.user_id}> {DECISIONS[latest.what]} {name}: {count}."
            return f"*{headline(registration)}*: {count}."
        case Status.WAITING_FOR_CONSENT:
            return (
                f"{name} is registered, and an administrator has to consent before it gets its"
                " secret. Its card has the link; the bot goes on by itself."
            )
        case Status.DENIED:
            return f"{ui.person(registration.votes[-1].person)} denied {name}: “{reason}”."
        case Status.REFUSED:
            return f"{name} can't be created:\n{reason}"
        case Status.UNDONE if registration.reasons:
            return f"{name} was undone. {reason}"
        case Status.EXPIRED:
            return f"{name} expired: no approver decided in time."
        case Status.REVOKING | Status.REVOKED if registration.revocation is not None:
            return f"*{headline(registration)}* by {ui.person(registration.revocation.by)}"
        case _:
            return f"*{headline(registration)}*"


def expiry(registration: Registration, about: Subject, *, also: str | None = None) -> ui.Notice:
    """Tell that the secret in use is about to expire, or has expired, and the next step.

    Approvers read `also` about the requester: they can act if the requester does not.
    """
    id, secret = registration.id, registration.secret_in_use
    is_followed = registration.status is not Status.READY or registration.awaits_secret
    if secret is None or secret.id != about.secret or is_followed:
        return ui.over(f"{id}: {SEEN_TO}", f"*{id}*: {SEEN_TO}.")
    assert secret.expires_at is not None
    name, at = ui.escaped(registration.form.name), ui.when(secret.expires_at)
    rotate = buttons.rotate_buttons(registration)
    what = [_new_secret(registration, is_theirs=also is None, has_button=bool(rotate))]
    if about.stage is Stage.OVER:
        happens = "has expired"
        words = f"expired {at}. The connector can no longer sign in with it."
    else:
        happens = "is about to expire"
        words = f"expires {at}. After that the connector can no longer sign in with it."
        what.append(
            f"The one in use works until {PREVIOUS_SECRET.days} days after the new one was seen."
        )
    return ui.notice(
        " ".join([f"*{id}*: the secret of *{name}* {words}", *([also] if also else [])]),
        ui.section(" ".join([*what, REVOKE])),
        spoken=f"{id}: the secret {happens}",
        buttons=[*rotate, buttons.revoke_button(registration)],
    )


def _new_secret(registration: Registration, *, is_theirs: bool, has_button: bool) -> str:
    """Say how to get a new secret: by a rotation, unless one was approved and lost since."""
    id = registration.id
    if registration.secret_in_use == registration.secret:
        how = "*Rotate*" if has_button else f"`{ids.COMMAND} rotate {id}`"
        return f"{how} asks for a new one, which approvers confirm."
    presses = "you press" if is_theirs else "the requester presses"
    where = f" `{ids.COMMAND} values {id}` has the button." if is_theirs else ""
    return (
        f"The one that was meant to replace it is lost: {presses} *Make a new one*, which takes no"
        f" approval.{where}"
    )


def also_told(registration: Registration, *, has_left: bool) -> str:
    """Tell approvers that the requester is told, too, or why not and the next step then."""
    requester = ui.person(registration.requester)
    if not has_left:
        return f"{requester} is told, too."
    return (
        f"The account of {requester}, the requester, is deactivated or gone, so only approvers are"
        f" told. `{ids.COMMAND} handover {registration.id} @person` gives it to someone else."
    )


def unread(registration: Registration, secret: str | None) -> ui.Notice:
    """Remind the requester that the secret waits, and for how long."""
    id, name, until = registration.id, ui.escaped(registration.form.name), registration.deadline
    if until is None or not registration.is_unseen or not _is_newest(registration, secret):
        waits = "the secret no longer waits"
        return ui.over(f"{id}: {waits}", f"*{id}*: {waits} to be picked up.")
    return ui.notice(
        f"*{id}*: the secret of *{name}* hasn't been picked up yet. Only you can see it, and only"
        f" once. Pick it up by {ui.when(until)}, or it will be deleted from Entra.",
        spoken=f"{id}: the secret of {name} waits for you",
        buttons=[buttons.values_button(registration)],
    )


def unread_removed(
    registration: Registration, secret: str | None, *, also: str | None = None
) -> ui.Notice:
    """Tell that a secret that was not picked up is deleted, and the next step.

    Approvers read `also` about the requester, and can remove the application.
    """
    id, name = registration.id, ui.escaped(registration.form.name)
    is_ready = registration.status is Status.READY
    is_making = registration.run in (RunKind.REPLACE_SECRET, RunKind.ADD_SECRET)
    known = (registration.secret, *registration.other_secrets)
    has_lapsed = any(it is not None and it.id == secret and it.has_lapsed for it in known)
    said = f"{id}: the secret of {name} wasn't picked up"
    words = [
        f"*{id}*: the secret of *{name}* wasn't picked up within {UNREAD_SECRET.days} days, so it"
        " was deleted from Entra."
    ]
    offered: list[ButtonElement] = []
    if has_lapsed:
        words.append("The previous secret keeps working.")
    if also is not None:
        words.append(also)
        if is_ready:
            words.append(REVOKE)
            offered = [buttons.revoke_button(registration)]
    elif has_lapsed:
        words.append(f"`{ids.COMMAND} rotate {id}` asks for another.")
        offered = buttons.rotate_buttons(registration)
    elif _is_newest(registration, secret) and is_ready and not is_making:
        words.append("Press *Make a new one*: that takes no approval.")
        offered = [buttons.renew_button(registration)]
    return ui.notice(" ".join(words), spoken=f"{said}, so it was deleted", buttons=offered)


def _is_newest(registration: Registration, secret: str | None) -> bool:
    return registration.secret is not None and registration.secret.id == secret


def retired(registration: Registration) -> ui.Notice:
    """Tell the requester that only one secret is left."""
    said = f"*{registration.id}*: the previous secret is removed from Entra"
    return ui.notice(f"{said}. Only the new one works now.", spoken=ui.aloud(said))


def revoked(registration: Registration) -> ui.Notice:
    """Tell the approvers who has revoked a registration that was ready."""
    people = [registration.revocation.by] if registration.revocation else []
    who = "".join(map(ui.person, people)) or "A user"
    said = f"{who} has revoked {ui.named(registration)}"
    after = "The connector can no longer sign in once its card says that this is done."
    return ui.notice(f"{said}.", ui.context(after), spoken=ui.aloud(said, *people))


def left(registration: Registration) -> ui.Notice:
    """Tell the approvers that the values have no recipient, and the next step."""
    id, until = registration.id, ""
    said = f"{id} is ready, and its requester's account is deactivated or gone"
    if registration.deadline is not None:
        until = f" Unless that happens, its secret is removed {ui.when(registration.deadline)}."
    how = f"Type `{ids.COMMAND} handover {id} @person` to give it to someone else."
    return ui.notice(
        f"*{said}*, so the values were not sent.", ui.section(f"{how}{until}"), spoken=said
    )


def restored(registration: Registration) -> ui.Notice:
    """Tell the requester the consequences of a restore for a registration."""
    said = f"{ui.named(registration)}: the bot's database was restored from an older copy"
    below = ui.section(_restored(registration))
    offered = _restored_buttons(registration)
    return ui.notice(f"{said}.", below, spoken=ui.aloud(said), buttons=offered)


def _restored(registration: Registration) -> str:
    match registration.status:
        case Status.READY if is_doubtful(registration) and registration.approvals():
            return (
                "Its secret may have been shown since, so it cannot be shown again. If you saved"
                " it, it goes on working. If not, press *Make a new one*."
            )
        case Status.READY if is_doubtful(registration):
            return (
                "It is in Entra, so it is ready. Its secret cannot be shown again. If you saved it,"
                f" it goes on working. If not, `{ids.COMMAND} rotate {registration.id}` asks for"
                " another, which approvers confirm."
            )
        case Status.READY:
            return "It is in Entra, and its secret stays as it is."
        case Status.PENDING:
            return "Approvals that were given before are void. The approvers are asked again."
        case Status.REVOKED:
            return (
                "It is no longer in Entra, so it counts as revoked. *Ask again* asks for another."
            )
        case Status.FAILED:
            return "It was being set up, and Entra does not show it. Press *Retry* to go on."
        case _:
            return "Its card says how it stands now."


def _restored_buttons(registration: Registration) -> list[ButtonElement]:
    if registration.status is not Status.READY or registration.secret is None:
        return []
    if not registration.approvals():
        rotate = buttons.idle_rotate_buttons(registration)
        return [*requests.cancel_buttons(registration), *rotate]
    return buttons.renew_buttons(registration) if is_doubtful(registration) else []


def restore_summary(report: Report) -> ui.Blocks:
    """Tell the approvers the changes by a restore, and the open questions."""
    found = "Everything in the copy stands as it does in Entra."
    return ui.drawn(
        [
            ui.section(f"*{HEADLINE}*. It was compared with Entra before anything else was done."),
            *(list(_differences(report)) or [ui.section(found)]),
            ui.context(
                "Decisions after the copy are lost: requests, denials, cancellations, handovers."
                " Decide again on requests that wait; repeat a handover by"
                f" `{ids.COMMAND} handover`."
            ),
        ]
    )


def _differences(report: Report) -> Iterator[Block]:
    def moved(became: Status) -> list[str]:
        return [id for id, it in report.changes if it["became"] == became != it["was"]]

    for words, names in (
        (
            "In Entra, and not ready in the copy: ready now. The copy does not say who"
            " approved. Revoke those that should not be there",
            moved(Status.READY),
        ),
        ("No longer in Entra: revoked", moved(Status.REVOKED)),
        (
            "Being set up when the copy was made, and not in Entra: failed. *Retry* goes on",
            moved(Status.FAILED),
        ),
        (
            "Approvals that may have been withdrawn since: they have to be given again",
            [id for id, it in report.changes if it["votes"] and it["became"] == it["was"]],
        ),
        (
            "Secrets that may have been seen since: they stay in Entra and are not shown again."
            " Their requesters are told",
            [id for id, it in report.changes if it["secrets"]],
        ),
        (
            "In Entra, and not in the copy. Look at them in the Entra admin centre, and delete"
            " those that are not used",
            [
                f"{ui.escaped(it.name[:60])} ({ui.code(it.app_id)}, {it.registration})"
                for it in report.unknown
            ],
        ),
    ):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            listed = ", ".join(names[:MOST_NAMED])
            yield ui.section(f"• {words}: *{len(names)}*\n{listed}{more}")
