"""After a restore: what approvers and requesters are told."""

from collections.abc import Iterator, Sequence

from slack_sdk.models.blocks import Block
from slack_sdk.models.blocks.block_elements import ButtonElement

from bot.domain.registration import Registration, Status
from bot.domain.secrets import SecretState
from bot.restore.reconciliation import Report
from handlers.views import ids, requests, rotation
from handlers.views.blocks import Blocks, actions, button, code, context, drawn, escaped, section

MOST = 20
"""How many are named in a line: a message of Slack's takes a few thousand characters."""
HEADLINE = "An older copy of the bot's database was restored"
RESTORED = "The bot's database was restored from an older copy"


def summary(report: Report) -> Blocks:
    """Tell the approvers what was changed, and what they have to look at."""
    parts = [*_changes(report), *_unknown(report)]
    nothing = [section("Everything in the copy stands as it does in Entra.")] if not parts else []
    return drawn(
        [
            section(f"*{HEADLINE}*. It was compared with Entra before anything else was done."),
            *parts,
            *nothing,
            context(
                "What people decided after the copy is lost: requests, denials, cancellations,"
                " handovers. Decide again on what waits; repeat a handover by"
                f" `{ids.COMMAND} handover`."
            ),
        ]
    )


def _changes(report: Report) -> Iterator[Block]:
    for became, words in (
        (
            Status.READY,
            "In Entra, and not ready in the copy: ready now. The copy does not say who"
            " approved. Revoke what should not be there",
        ),
        (Status.REVOKED, "No longer in Entra: revoked"),
        (
            Status.FAILED,
            "Being set up when the copy was made, and not in Entra: failed. *Retry* goes on",
        ),
    ):
        moved = [id for id, it in report.changes if it["became"] == became != it["was"]]
        yield from _line(words, moved)
    votes = [id for id, it in report.changes if it["votes"] and it["became"] == it["was"]]
    yield from _line(
        "Approvals that may have been withdrawn since: they have to be given again", votes
    )
    secrets = [id for id, it in report.changes if it["secrets"]]
    yield from _line(
        "Secrets that may have been seen since: they stay in Entra and are not shown again. Their"
        " requesters are told",
        secrets,
    )


def _unknown(report: Report) -> Iterator[Block]:
    yield from _line(
        "In Entra, and not in the copy. Look at them in the Entra admin centre, and delete there"
        " what nobody uses",
        [
            f"{escaped(it.name[:60])} ({code(it.app_id)}, {it.registration})"
            for it in report.unknown
        ],
    )


def _line(words: str, names: Sequence[str]) -> Iterator[Block]:
    if names:
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        yield section(f"• {words}: *{len(names)}*\n{', '.join(names[:MOST])}{more}")


def news_text(registration: Registration) -> str:
    return f"{registration.id}: {RESTORED[0].lower()}{RESTORED[1:]}"


def news(registration: Registration) -> Blocks:
    """Tell the requester what that means for a registration, and what to do."""
    name = escaped(registration.form.name)
    return drawn(
        [
            section(f"*{registration.id}* ({name}): {RESTORED[0].lower()}{RESTORED[1:]}."),
            section(_meaning(registration)),
            *actions(_buttons(registration)),
        ]
    )


def _meaning(registration: Registration) -> str:
    secret = registration.secret
    is_doubtful = secret is not None and secret.state is SecretState.UNKNOWN
    match registration.status:
        case Status.READY if is_doubtful and registration.approvals():
            return (
                "Its secret may have been shown since, so it cannot be shown again. If you saved"
                " it, it goes on working. If not, press *Make a new one*."
            )
        case Status.READY if is_doubtful:
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


def _buttons(registration: Registration) -> list[ButtonElement]:
    secret = registration.secret
    if registration.status is not Status.READY or secret is None:
        return []
    if not registration.approvals():
        return [
            *requests.cancel_buttons(registration),
            *rotation.requester_buttons(registration),
        ]
    if secret.state is not SecretState.UNKNOWN or registration.run is not None:
        return []
    confirm = "The bot makes a new secret; the old one stops working."
    return [button("Make a new one", ids.RENEW, registration.id, confirm=confirm)]
