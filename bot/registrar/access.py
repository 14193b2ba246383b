"""Access to a registration for an action: check the user's right, lock the row or only read it."""

import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import ApprovalRequest, RequestKind
from bot.domain.catalogue import Profile
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.kinds import KINDS, Case, needed
from bot.services import Services
from bot.storage import registrations


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
        async with self.services.database.reading() as tx:
            registration = await self.loaded(tx, id)
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
        profile = self.services.catalogue.get(registration.form.profile)
        return needed(profile, registration, self.services.policy.contact)

    def quorum(self, registration: Registration, kind: RequestKind = RequestKind.PLAN) -> Quorum:
        """Return what it takes now to approve a request of this kind: no less than the plan took,
        and no less than a plan takes now.
        """
        if (some := KINDS[kind].needed) is not None:
            return Quorum(needed=some)
        policy = self.services.policy
        taken = Quorum(needed=registration.needed, distinct_groups=registration.distinct_groups)
        profile = self.services.catalogue.get(registration.form.profile)
        if profile is None:
            return policy.quorum().at_least(taken)
        asked = profile.approval
        today = policy.quorum(approvals=asked.needed, distinct_groups=asked.distinct_groups)
        return today.at_least(taken)

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
            policy=self.services.policy,
            quorum=self.quorum(registration),
            profile=self.services.catalogue.get(registration.form.profile),
            now=self.now(),
        )


def _unknown(id: str) -> str:
    if not re.fullmatch(r"AAD-[A-Z0-9]{4}", id):
        return (
            "That isn't a registration ID. IDs look like AAD-7K3F. `/aad-setup status` lists yours."
        )
    return f"There is no registration {id}. `/aad-setup status` lists yours."
