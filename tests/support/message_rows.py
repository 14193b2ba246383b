"""Messages as storage has them, for what is decided about them."""

from datetime import timedelta

from bot.domain.registration import Status
from bot.storage.messages import Message, MessageKind, Stale
from tests.support.factories import NOON

SECOND = timedelta(seconds=1)


def stale(
    id: str,
    kind: MessageKind = MessageKind.CARD,
    *,
    is_posted: bool = True,
    is_drawn: bool = True,
    is_final: bool = False,
) -> Stale:
    message = Message(
        id=id,
        registration="AAD-7K3F",
        kind=kind,
        audience="C0APPROVE",
        subject=None,
        wanted=2,
        shown=1 if is_posted else 0,
        channel="C0APPROVE" if is_posted else None,
        ts="1.1" if is_posted else None,
        shown_at=NOON - 9 * SECOND if is_drawn else None,
        tries=0,
    )
    status = Status.READY if is_final else Status.APPROVED
    return Stale(message=message, status=status, is_final=is_final)


VALUES = stale("values", MessageKind.VALUES, is_posted=False)
