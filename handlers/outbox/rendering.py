"""Render each kind of message from its registration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.domain.registration import Registration
from bot.registrar import Registrar
from bot.storage.messages import Message, MessageKind
from handlers.slack.users import UserNotFound, Users
from handlers.views import card, drift, notices, plan, requests
from handlers.views.ui import Notice, drawn
from handlers.views.values import values_notice

CALLING = (MessageKind.CARD, MessageKind.REQUEST, MessageKind.CONSENT, MessageKind.ALARM)
"""Messages that approvers have to see soon: they are mentioned when these are posted."""

THEIRS = (
    MessageKind.PROGRESS,
    MessageKind.VALUES,
    MessageKind.EXPIRY_NEWS,
    MessageKind.UNSEEN,
    MessageKind.UNREAD_NEWS,
)
"""Messages that are only for the present requester."""


NOTICES: Mapping[MessageKind, Callable[[Registration], Notice]] = {
    MessageKind.ALARM: drift.alarm,
    MessageKind.DRIFT: drift.report,
    MessageKind.LEFT: notices.left,
    MessageKind.RESTORED: notices.restored,
    MessageKind.RETIRED: notices.retired,
    MessageKind.REVOCATION: notices.revoked,
}
"""Messages that depend on the registration only."""


@dataclass(frozen=True, kw_only=True)
class Renderer:
    """Draws a message as the registration stands now."""

    registrar: Registrar
    users: Users

    async def draw(
        self, message: Message, registration: Registration, *, is_plain: bool = False
    ) -> Notice:
        """Return the text for notifications, and the blocks: if `is_plain`, without Slack's plan
        block.

        Raises Refusal if Slack does not say whether its reader may still see it.
        """
        text, blocks = await self._draw(message, registration, is_plain=is_plain)
        if message.ts is None and message.kind in CALLING:
            blocks += drawn(list(requests.calling(registration, self.registrar.policy)))
        return text, blocks

    async def _draw(
        self, message: Message, registration: Registration, *, is_plain: bool
    ) -> Notice:
        about = message.subject
        drawing = await self.registrar.deliveries.drawing(registration, reader=message.audience)
        drawing, quorum = replace(drawing, plain=is_plain or drawing.plain), drawing.quorum
        match message.kind:
            case kind if kind in THEIRS and message.audience != registration.requester.user_id:
                return card.passed_on(registration, drawing.profile)
            case MessageKind.CARD | MessageKind.PROGRESS:
                draw = card.card if message.kind is MessageKind.CARD else card.progress
                return draw(registration, drawing)
            case MessageKind.NEWS:
                latest = await self.registrar.queries.latest_entry(registration.id)
                return notices.news(registration, latest, quorum)
            case MessageKind.EXPIRY | MessageKind.EXPIRY_NEWS:
                also = await self._also_told(registration, message)
                return notices.expiry(registration, about, also=also)
            case MessageKind.UNREAD | MessageKind.UNREAD_NEWS:
                also = await self._also_told(registration, message)
                return notices.unread_removed(registration, about.secret, also=also)
            case MessageKind.UNSEEN:
                return notices.unread(registration, about.secret)
            case MessageKind.REMINDER:
                return requests.reminder(registration, self.registrar.policy, quorum, about.request)
            case MessageKind.REQUEST:
                return requests.request(registration, quorum, id=about.request)
            case MessageKind.REQUEST_NEWS:
                return requests.news(registration, about.request)
            case MessageKind.DRIFT if not await self._may_read(message, registration):
                return drift.kept_back(registration)
            case MessageKind.CONSENT:
                page, with_codes = drawing.consent_page, drawing.with_codes
                return plan.consent_call(registration, page, with_codes=with_codes)
            case MessageKind.VALUES:
                return values_notice(registration, secret=about.secret)
            case kind:
                return NOTICES[kind](registration)

    async def _also_told(self, registration: Registration, message: Message) -> str | None:
        """Return what approvers read about the requester; the requester does not read it."""
        if message.kind in THEIRS:
            return None
        has_left = await self.users.has_left(registration.requester.user_id)
        return notices.also_told(registration, has_left=has_left)

    async def _may_read(self, message: Message, registration: Registration) -> bool:
        """Judge again: since a check was asked for, the registration may have been handed over, or
        the reader may have left.
        """
        try:
            reader = await self.users.look_up(message.audience)
        except UserNotFound:
            return False
        return self.registrar.queries.may_read_check(registration, reader)
