"""Drawings: what each kind of message shows of its registration."""

from bot.domain.catalogue import drawable
from bot.domain.registration import Registration
from bot.domain.runs import RunKind
from bot.registrar import Registrar
from bot.storage.messages import Message, MessageKind
from handlers.slack.users import UserNotFound, Users
from handlers.views import (
    approvers,
    card,
    drift,
    expiry,
    news,
    requests,
    restore,
    revocation,
    rotation,
    unread_secret,
    values,
)
from handlers.views.blocks import Blocks, drawn, section
from handlers.views.steps import Drawing

CALLING = (MessageKind.CARD, MessageKind.REQUEST, MessageKind.ALARM)
"""What approvers have to see soon: they are mentioned when it is posted."""

THEIRS = (
    MessageKind.PROGRESS,
    MessageKind.VALUES,
    MessageKind.EXPIRY_NEWS,
    MessageKind.UNSEEN,
    MessageKind.UNREAD_NEWS,
)
"""What is only for whoever is the requester now."""


class Renderer:
    """Draws a message as the registration stands now."""

    def __init__(self, *, registrar: Registrar, users: Users, plain: bool) -> None:
        self._registrar = registrar
        self._users = users
        self._plain = plain

    async def draw(
        self, message: Message, registration: Registration, *, is_plain: bool = False
    ) -> tuple[str, Blocks]:
        """Return what is read aloud, and the blocks: if `is_plain`, without Slack's plan block.

        Raises Refusal if Slack does not say whether its reader may still see it.
        """
        if message.kind is MessageKind.DRIFT and not await self._may_read(message, registration):
            words = drift.kept_back(registration)
            return words, drawn([section(words)])
        if message.kind is MessageKind.EXPIRY:
            has_left = await self._users.has_left(registration.requester.user_id)
            blocks = expiry.for_approvers(registration, message.subject, has_left=has_left)
            return expiry.text(registration, message.subject), blocks
        if message.kind is MessageKind.UNREAD:
            has_left = await self._users.has_left(registration.requester.user_id)
            blocks = unread_secret.for_approvers(registration, message.subject, has_left=has_left)
            return unread_secret.removed_text(registration), blocks
        if message.kind is MessageKind.NEWS:
            latest = await self._registrar.queries.latest_entry(registration.id)
            told = (registration, latest, self._registrar.quorum(registration))
            return news.news_text(*told), news.news(*told)
        drawing = await self._drawing(registration, is_plain=is_plain)
        text, blocks = self._draw(message, registration, drawing)
        if message.ts is None and message.kind in CALLING:
            blocks = [
                *blocks,
                *drawn(list(approvers.calling(registration, self._registrar.policy))),
            ]
        return text, blocks

    async def _may_read(self, message: Message, registration: Registration) -> bool:
        """Judge anew: since a check was asked for, the registration may have been handed over, or
        the reader may have left.
        """
        try:
            reader = await self._users.look_up(message.audience)
        except UserNotFound:
            return False
        return self._registrar.queries.may_read_check(registration, reader)

    async def _drawing(self, registration: Registration, *, is_plain: bool) -> Drawing:
        at_work = registration.run is RunKind.REGISTER
        expected = await self._registrar.queries.expected() if at_work else None
        return Drawing(expected=expected, plain=self._plain or is_plain)

    def _draw(
        self, message: Message, registration: Registration, drawing: Drawing
    ) -> tuple[str, Blocks]:
        profile = drawable(self._registrar.catalogue, registration.form.profile)
        quorum = self._registrar.quorum(registration)
        match message.kind:
            case MessageKind.CARD:
                blocks = card.card(registration, profile, quorum=quorum, drawing=drawing)
                return card.spoken(registration, profile), blocks
            case kind if kind in THEIRS and message.audience != registration.requester.user_id:
                return card.spoken(registration, profile), card.passed_on(registration)
            case MessageKind.UNSEEN:
                waits = unread_secret.reminder_text(registration, message.subject)
                return waits, unread_secret.reminder(registration, message.subject)
            case MessageKind.UNREAD_NEWS:
                gone = unread_secret.removed(registration, message.subject)
                return unread_secret.removed_text(registration), gone
            case MessageKind.EXPIRY_NEWS:
                told = message.subject
                return expiry.text(registration, told), expiry.news(registration, told)
            case MessageKind.REMINDER:
                policy, about = self._registrar.policy, message.subject
                blocks = requests.reminder(registration, policy, quorum, about)
                return requests.reminder_text(registration, about), blocks
            case MessageKind.LEFT:
                return approvers.left_text(registration), approvers.left(registration)
            case MessageKind.REVOCATION:
                return revocation.notice_text(registration), revocation.notice(registration)
            case MessageKind.REQUEST:
                about = message.subject
                blocks = requests.request(registration, quorum, id=about)
                return requests.text(registration, about), blocks
            case MessageKind.REQUEST_NEWS:
                about = message.subject
                return requests.news_text(registration, about), requests.news(registration, about)
            case MessageKind.RETIRED:
                return rotation.retired_text(registration), rotation.retired(registration)
            case MessageKind.PROGRESS:
                blocks = card.progress(registration, profile, quorum=quorum, drawing=drawing)
                return card.spoken(registration, profile), blocks
            case MessageKind.RESTORED:
                return restore.news_text(registration), restore.news(registration)
            case MessageKind.ALARM:
                return drift.alarm_text(registration), drift.alarm(registration)
            case MessageKind.DRIFT:
                return drift.report_text(registration), drift.report(registration)
            case _:
                blocks = values.notice(registration, secret=message.subject)
                return values.notice_spoken(registration, secret=message.subject), blocks
