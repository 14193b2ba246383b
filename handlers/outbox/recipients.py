"""Readers: who has to be looked up, who has to act, and what approvers decide by."""

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Registration
from bot.storage.messages import Message, MessageKind

LOOKED_UP = (
    MessageKind.VALUES,
    MessageKind.DRIFT,
    MessageKind.EXPIRY,
    MessageKind.EXPIRY_NEWS,
    MessageKind.UNREAD,
)
"""Whose readers, or the people they are about, are looked up before they are told."""
NEED_THEIR_READER = (MessageKind.VALUES, MessageKind.EXPIRY_NEWS)
"""What the requester has to act on; one who cannot is no reader, and the approvers are told."""


def needs_its_reader(message: Message) -> bool:
    """Whether it is about to be posted to somebody who has to act on it."""
    return message.kind in NEED_THEIR_READER and message.ts is None


def is_waited_for(message: Message, registration: Registration) -> bool:
    """Whether approvers decide by this message on what waits."""
    if message.kind is MessageKind.CARD:
        return registration.waiting(RequestKind.PLAN) is not None
    is_waiting = any(each.id == message.subject.request for each in registration.waiting_requests)
    return message.kind is MessageKind.REQUEST and is_waiting
