"""Submit the form of a registration."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.catalogue import Profile
from bot.domain.events import Event
from bot.domain.forms import FormProblems, as_read, check_form
from bot.domain.people import Person, Refusal
from bot.domain.registration import Form, Registration, Status
from bot.domain.runs import RunKind
from bot.registrar.access import Access, Limit, check_limit
from bot.storage import history, installation, messages, registrations, runs
from bot.storage.messages import MessageKind

COMMAND = "/aad-setup"

STANDING: Mapping[Status, str] = {
    Status.PLANNING: "being checked",
    Status.PENDING: "waiting for approval",
    Status.APPROVED: "being set up",
    Status.WAITING_FOR_CONSENT: "waiting for an administrator's consent",
    Status.REVOKING: "being revoked",
}
"""Words for the status of a registration with the same name; others are said by their names."""


@dataclass(frozen=True)
class Submission:
    """From a form to a registration whose plan is being made."""

    access: Access

    def profile(self, id: str) -> Profile:
        """Return the profile of a form. Raises Refusal if there is none."""
        profile = self.access.services.catalogue.get(id)
        if profile is None:
            raise Refusal(f"There is no profile {id}. Open the form again and choose one.")
        return profile

    async def submit(self, form: Form, *, by: Person, origin: str) -> str:
        """Start a registration and return its id. The same `origin` gives the same registration.

        Raises Refusal, or FormProblems with a sentence for each field.
        """
        self.access.services.policy.check_may_ask(by)
        profile = self.profile(form.profile)
        if problems := check_form(form, profile):
            raise FormProblems(problems)
        async with self.access.services.writing() as tx:
            await installation.lock_submissions(tx)
            if known := await registrations.from_origin(tx, origin):
                return known
            await self._check_room(tx, by)
            await self._check_new(tx, form)
            registration = self._new(form, profile, by)
            while not await registrations.add(
                tx, registration, origin=origin, wish_digest=_digest(form)
            ):
                if known := await registrations.from_origin(tx, origin):
                    return known
                registration = replace(registration, id=self.access.services.new_id())
            await self._begin(tx, registration)
        return registration.id

    async def in_the_way(self, form: Form, *, by: Person) -> tuple[str, ...]:
        """Return why this form would be refused now, apart from the tenant."""
        found = []
        async with self.access.services.database.reading() as tx:
            for check in (self._check_room(tx, by), self._check_new(tx, form)):
                try:
                    await check
                except Refusal as refusal:
                    found.append(str(refusal))
        return tuple(found)

    async def form_of(self, id: str, *, by: Person) -> Form:
        """Return the form of an ended registration, for its requester. Raises Refusal."""
        registration = await self.access.loaded_for(Verb.ASK_AGAIN, id, by)
        self.access.services.policy.check_may_ask(by)
        return registration.form

    async def _check_room(self, tx: AsyncConnection, by: Person) -> None:
        """Raise Refusal if the user or the team has reached a limit."""
        policy = self.access.services.policy
        if await registrations.count_open(tx, by) >= policy.open_limit:
            raise Refusal(
                f"You have {policy.open_limit} registrations open, which is the most. Finish,"
                f" cancel or undo one first: `{COMMAND} status` lists them."
            )
        now = self.access.now()
        of_person = Limit(
            event=Event.SUBMITTED,
            most=policy.person_daily_limit,
            refusal="You have begun {most} registrations in 24 hours, which is the most for one"
            f" person. Try again later, or ask {policy.contact} to raise `PERSON_DAILY_LIMIT`.",
        )
        # By history: after a handover a registration still counts for its first requester.
        await check_limit(tx, of_person, now=now, by=by)
        of_team = Limit(
            event=Event.SUBMITTED,
            most=policy.daily_limit,
            refusal="The team has begun {most} registrations in 24 hours, which is the most. Try"
            f" again later, or ask {policy.contact} to raise `DAILY_LIMIT`.",
        )
        await check_limit(tx, of_team, now=now)

    async def _check_new(self, tx: AsyncConnection, form: Form) -> None:
        """Raise FormProblems if the same was asked for and is open or ready."""
        id = await registrations.find_duplicate(tx, _digest(form))
        if id is None:
            return
        twin = await self.access.loaded(tx, id)
        raise FormProblems(
            {
                "name": f"{twin.requester.name} already has a request with this name: {id}"
                f" ({STANDING.get(twin.status, str(twin.status))}). See {COMMAND} status {id}, or"
                " choose another name."
            }
        )

    def _new(self, form: Form, profile: Profile, by: Person) -> Registration:
        return Registration(
            id=self.access.services.new_id(),
            version=1,
            status=Status.PLANNING,
            requester=replace(by, doubts=()),
            form=form,
            profile_digest=profile.digest,
            # 128 random bits: no other installation's key can be the same by accident.
            key=f"aad-setup-{self.access.services.installation}-{uuid4().hex}",
            created_at=self.access.now(),
        )

    async def _begin(self, tx: AsyncConnection, registration: Registration) -> None:
        id, now, form = registration.id, registration.created_at, registration.form
        by = registration.requester
        told = {"profile": form.profile, "name": form.name, "secret_days": form.secret_days}
        await messages.add(tx, id, MessageKind.PROGRESS)
        await runs.add(tx, registration=id, kind=RunKind.PLAN, now=now)
        await history.write(tx, id, Event.SUBMITTED, by=by, now=now, **told)


def _digest(form: Form) -> str:
    """Return a digest of the profile and of the name as people read it."""
    return hashlib.sha256(f"{form.profile}\n{as_read(form.name)}".encode()).hexdigest()
