"""The form in which an approver says why."""

from slack_sdk.models.blocks import InputBlock, PlainTextInputElement
from slack_sdk.models.views import View

from bot.domain.forms import LONGEST_REASON
from handlers.views import ids
from handlers.views.blocks import Json, section


def denial(id: str, request: str | None) -> Json:
    """Return the modal for a request; its id comes back with the submission."""
    after = "The requester reads why, and can ask again."
    view = View(
        type="modal",
        callback_id=ids.DENIAL,
        private_metadata=ids.bound_value(id, request or id),
        title=f"Deny {id}",
        submit="Deny",
        close="Not now",
        blocks=[
            section(after if request else f"This ends the registration. {after}"),
            InputBlock(
                block_id=ids.REASON,
                label="Reason",
                element=PlainTextInputElement(
                    action_id=ids.CHOSEN, multiline=True, max_length=LONGEST_REASON
                ),
            ),
        ],
    )
    return dict(view.to_dict())


def read_denial(view: Json) -> tuple[str, str | None, str]:
    """Return the registration's id, the request's unless it is the plan's, and the reason."""
    reason = view["state"]["values"][ids.REASON][ids.CHOSEN].get("value") or ""
    return *ids.read_bound_value(view["private_metadata"]), reason
