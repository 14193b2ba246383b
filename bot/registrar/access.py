"""Access to a registration for an action: check the user's right and limits, lock the row or only
read it.

Limits on repeated actions of one user protect Entra, Slack or the approvers. They count events of
history, which all replicas share.
"""

import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import ONE_APPROVAL, ApprovalRequest, Quorum, RequestKind
from bot.domain.catalogue import Profile
from bot.domain.events import Event, RequestEvent, event
from bot.domain.lifetimes import CHECK_PAUSE, DAY
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.kinds import KINDS, Case, profile_of
from bot.services import Services
from bot.storage import history, registrations


@dataclass(frozen=True)
class Access:
    """Registrations by id, for those who may do something to them."""

    services: Services

    def now(self) -> datetime:
        return self.services.clock.now()

    async def loaded(self, tx: AsyncConnection, id: str) -> Registration:
        """Return the registration as it is now, for any reader. Nothing is locked.

        Raises Refusal if there is none.
        """
        registration = await registrations.get(tx, id)
        if registration is None:
            raise Refusal(_unknown(id))
        return replace(registration, looked_at=self.now())

    async def loaded_for(
        self, verb: Verb, id: str, by: Person, request: str | None = None
    ) -> Registration:
        """Return the registration if this user may do this to it now. Nothing is locked.

        Raises Refusal.
        """
        self.services.policy.check_account(by)  # first: else outsiders would learn which ids exist
        registration = await self.services.database.read(self.loaded, id)
        self.services.policy.check(verb, by, registration, request)
        return registration

    @asynccontextmanager
    async def locked_for(
        self, verb: Verb, id: str, by: Person, request: str | None = None
    ) -> AsyncIterator[tuple[AsyncConnection, Registration]]:
        """Open a transaction in which the registration is locked, if this user may do this to it
        now: the second of two users sees what the first has done. Raises Refusal.
        """
        self.services.policy.check_account(by)
        async with self.services.writing() as tx:
            registration = await registrations.locked(tx, id)
            if registration is None:
                raise Refusal(_unknown(id))
            self.services.policy.check(verb, by, registration, request)
            yield tx, registration

    def profile(self, registration: Registration) -> Profile:
        """Return a registration's profile. Raises Refusal if the catalogue no longer has it."""
        return profile_of(registration, self.services)

    def quorum(self, registration: Registration, kind: RequestKind = RequestKind.PLAN) -> Quorum:
        """Return what it takes now to approve a request of this kind: no less than the plan took,
        and no less than a plan takes now.
        """
        if (some := KINDS[kind].needed) is not None:
            return Quorum(needed=some)
        today = self.services.policy.quorum(registration.quorum or ONE_APPROVAL)
        profile = self.services.catalogue.get(registration.form.profile)
        return today.at_least(profile.approval) if profile else today

    def case(
        self,
        registration: Registration,
        asked: ApprovalRequest,
        by: Person,
        people: Collection[Person],
    ) -> Case:
        """Return what the rules of a request's kind judge."""
        return Case(
            registration=registration,
            request=asked,
            by=by,
            people={each.user_id: each for each in people},
            quorum=self.quorum(registration),
            services=self.services,
        )


def _unknown(id: str) -> str:
    if not re.fullmatch(r"AAD-[A-Z0-9]{4}", id):
        return (
            "That isn't a registration ID. IDs look like AAD-7K3F. `/aad-setup status` lists yours."
        )
    return f"There is no registration {id}. `/aad-setup status` lists yours."


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How often an event may happen within a time, and the refusal beyond that."""

    event: Event | RequestEvent
    most: int
    within: timedelta = DAY
    refusal: str
    """`{id}` stands for the registration, `{most}` for the number."""
    renewed_by: Event | None = None
    """An event that allows one more."""


CHECKS = Limit(  # each takes many calls of Microsoft Graph
    event=Event.CHECK_REQUESTED,
    most=1,
    within=CHECK_PAUSE,
    refusal="A check of {id} was asked for less than five minutes ago. Its card says what came of"
    " it; ask again in a few minutes.",
    renewed_by=Event.READY,
)


def requests(kind: RequestKind) -> Limit:
    """Return how often the same may be asked for: each time notifies the approvers."""
    return Limit(
        event=event(kind, "asked"),
        most=5,
        refusal=f"A {kind} of {{id}} was asked for {{most}} times in 24 hours, which is the most."
        " Agree with an approver on it, and ask again later.",
    )


async def check_limit(
    tx: AsyncConnection,
    limit: Limit,
    *,
    now: datetime,
    registration: str | None = None,
    by: Person | None = None,
) -> None:
    """Raise Refusal if this happened too often: to one registration, by one user, or at all."""
    since = now - limit.within
    count = partial(history.count, tx, since=since, registration=registration, by=by)
    renewed = await count(limit.renewed_by) if limit.renewed_by else 0
    if await count(limit.event) >= limit.most + renewed:
        # No str.format: other braces may come from a setting.
        refusal = limit.refusal.replace("{most}", str(limit.most))
        raise Refusal(refusal.replace("{id}", registration or ""))
