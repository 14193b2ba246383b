"""The desk: what every verb of a person needs, to be one transaction that writes all it owes."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Policy, Verb
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import ApprovalRequest, RequestKind
from bot.domain.catalogue import Catalogue, Profile, drawable
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.domain.runs import RunKind
from bot.registrar.kinds import KINDS, needed
from bot.storage import registrations, runs
from bot.storage.database import Database
from bot.storage.vault import Vault
from bot.worker.loops import Wakeups
from graph.clock import Clock


class RegistrarBase:
    """The base of each group of verbs."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        policy: Policy,
        vault: Vault,
        clock: Clock,
        installation: str,
        approval_channel: str,
        approval_ttl: timedelta,
        new_id: Callable[[], str],
        wakeups: Wakeups,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._policy = policy
        self._vault = vault
        self._clock = clock
        self._installation = installation
        self._approval_channel = approval_channel
        self._approval_ttl = approval_ttl
        self._new_id = new_id
        self._wakeups = wakeups

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    @property
    def policy(self) -> Policy:
        return self._policy

    def quorum(self, registration: Registration, kind: RequestKind = RequestKind.PLAN) -> Quorum:
        """Return what it takes to approve this now: the plan, or what takes no less than the plan
        did, nor than one takes now.
        """
        if (some := KINDS[kind].needed) is not None:
            return Quorum(needed=some)
        taken = Quorum(needed=registration.needed, distinct_groups=registration.distinct_groups)
        profile = self._catalogue.get(registration.form.profile)
        if profile is None:
            return self._policy.quorum().at_least(taken)
        asked = profile.approval
        today = self._policy.quorum(approvals=asked.needed, distinct_groups=asked.distinct_groups)
        return today.at_least(taken)

    def profile(self, id: str) -> Profile:
        """Return the profile. Raises Refusal if there is none."""
        if id not in self._catalogue:
            raise Refusal(f"There is no profile {id}. Open the form again and choose one.")
        return self._catalogue[id]

    def profile_of(self, registration: Registration) -> Profile:
        """Return a registration's profile to draw it with, which may be a stand-in."""
        return drawable(self._catalogue, registration.form.profile)

    def _needed_profile(self, registration: Registration) -> Profile:
        """Return a registration's profile. Raises Refusal if the catalogue has it no longer."""
        profile = self._catalogue.get(registration.form.profile)
        return needed(profile, registration, self._policy.contact)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction() as tx:
            yield tx
        self._wakeups.wake_all()

    async def _get(self, tx: AsyncConnection, id: str) -> Registration:
        registration = await registrations.get(tx, id)
        if registration is None:
            raise Refusal(_unknown(id))
        return replace(registration, looked_at=self._clock.now())

    async def loaded_for(
        self, tx: AsyncConnection, verb: Verb, id: str, by: Person, request: str | None = None
    ) -> Registration:
        """Return the registration if this person may do this to it now. Nothing is locked."""
        self._policy.check_account(by)  # first: else outsiders would learn which ids there are
        registration = await self._get(tx, id)
        self._policy.check(verb, by, registration, request)
        return registration

    async def locked_for(
        self, tx: AsyncConnection, verb: Verb, id: str, by: Person, request: str | None = None
    ) -> Registration:
        """Lock the registration and judge: whoever comes second sees what the first one did."""
        self._policy.check_account(by)
        registration = await registrations.locked(tx, id)
        if registration is None:
            raise Refusal(_unknown(id))
        self._policy.check(verb, by, registration, request)
        return registration

    def _in_time(self, registration: Registration, request: str | None) -> ApprovalRequest:
        """Return a request that waits. Raises Refusal if its time is over, though nobody has
        noticed yet.
        """
        asked, id = registration.request(request or registration.id), registration.id
        assert asked is not None
        if asked.expires_at is not None and asked.expires_at <= self._clock.now():
            what = id if asked.kind is RequestKind.PLAN else f"this {asked.kind} of {id}"
            raise Refusal(f"The deadline of {what} has passed, so this can't be done.")
        return asked

    async def _add_run(
        self, tx: AsyncConnection, id: str, kind: RunKind, subject: str | None = None
    ) -> None:
        await runs.add(tx, registration=id, kind=kind, subject=subject, now=self._clock.now())


def _unknown(id: str) -> str:
    if not re.fullmatch(r"AAD-[A-Z0-9]{4}", id):
        return (
            "That isn't a registration ID. IDs look like AAD-7K3F. `/aad-setup status` lists yours."
        )
    return f"There is no registration {id}. `/aad-setup status` lists yours."
