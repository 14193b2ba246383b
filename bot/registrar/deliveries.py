"""Deliveries from and to Slack: repeated events, copied messages, messages without a recipient;
what a card is drawn from beside its registration, as its reader wants it.
"""

import statistics
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import Quorum
from bot.domain.catalogue import Profile, drawable
from bot.domain.events import Event, Subject
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.registrar.access import Access
from bot.storage import audit, history, messages, registrations, runs
from bot.storage.messages import MessageKind

FEWEST_RUNS = 3
"""Of fewer runs no median is made: it would only be a guess."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a card shows beside its registration, and with which blocks."""

    profile: Profile
    quorum: Quorum
    expected: timedelta | None = None  # how long all steps usually take, if that is known
    plain: bool = False  # sections only, for clients and readers that plan blocks say nothing to
    consent_page: str = ""  # where an administrator consents
    level: int = 1  # of the headline
    with_codes: bool = False  # whether approvers may sign in with a code to grant


@dataclass(frozen=True)
class Deliveries:
    """Compares what Slack delivers, or cannot deliver, with storage, and tells what cards show."""

    access: Access

    async def is_news(self, event_id: str) -> bool:
        """Whether this event of Slack's comes for the first time."""
        now = self.access.now()
        return await self.access.services.database.write(messages.is_first_delivery, event_id, now)

    async def is_at(self, message: str, *, channel: str, ts: str) -> bool:
        """Whether a message is here, and no copy of it.

        While Slack has not said where it was posted, it is where it is clicked. A message that
        storage does not know has no copy.
        """
        place = await self.access.services.database.read(messages.place, message)
        if place is None or place == (channel, ts):
            return True
        if place[1] is not None:
            return False
        async with self.access.services.database.transaction() as tx:
            if await messages.locate(tx, message, channel=channel, ts=ts):
                return True
            return await messages.place(tx, message) == (channel, ts)

    async def requester_left(
        self, id: str, *, who: str, message: str, expiry: Subject | None = None
    ) -> None:
        """Record that the requester's account is deactivated or gone, and tell the approvers: once
        for each message that was not sent, and of an expiry unless they are told anyway.

        Do nothing if `who`, a user id, has handed it over since. After a crash before the message
        is given up, the caller comes here again.
        """
        kind, subject = MessageKind.LEFT, Subject(message=message)
        if expiry is not None:
            kind, subject = MessageKind.EXPIRY, expiry
        async with self.access.services.writing() as tx:
            await registrations.bump_version(tx, id)
            if await registrations.requester_of(tx, id) != who:
                return
            if not await messages.exists(tx, id, kind, subject):
                now = self.access.services.clock.now()
                await history.write(tx, id, Event.REQUESTER_LEFT, now=now)
                await messages.add(tx, id, kind, subject=subject)

    async def drawing(self, registration: Registration, *, reader: str) -> Drawing:
        """Return what a card shows to this user, or in a channel of this id."""
        services = self.access.services
        is_at_work = registration.run is RunKind.REGISTER
        async with services.database.reading() as tx:
            chosen = await messages.reads_plainly(tx, reader)
            return Drawing(
                profile=drawable(services.catalogue, registration.form.profile),
                quorum=self.access.quorum(registration),
                expected=await expected(tx) if is_at_work else None,
                plain=chosen or services.settings.plain_cards,
                consent_page=await self._consent_page(tx, registration),
                with_codes=self.with_codes,
            )

    async def _consent_page(self, tx: AsyncConnection, registration: Registration) -> str:
        """Return the address where an administrator has to consent, or nothing if none has to, or
        the client id is not the one that was signed.
        """
        settings = self.access.services.settings
        if registration.status is Status.WAITING_FOR_CONSENT:
            with suppress(Refusal):
                await audit.check_waits(tx, registration)
                return settings.cloud.permissions_page(settings.tenant_id, registration.app_id)
        return ""

    @property
    def with_codes(self) -> bool:
        """Whether approvers may sign in with a code, too."""
        settings = self.access.services.settings.approver_sign_ins
        return settings is not None and settings.with_codes

    async def choose_cards(self, *, plain: bool, by: Person) -> None:
        self.access.services.policy.check_account(by)
        await self.access.services.database.write(messages.choose_cards, by, plain=plain)


async def expected(tx: AsyncConnection) -> timedelta | None:
    """Return how long creating an application usually takes, after enough of them."""
    took = await runs.durations(tx)
    if len(took) < FEWEST_RUNS:
        return None
    return timedelta(seconds=statistics.median(each.total_seconds() for each in took))
