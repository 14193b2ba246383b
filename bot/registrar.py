"""The registrar: the verbs of people. Each is one transaction that writes everything it owes.

Listeners call these and nothing else. A verb touches only the database; what Entra and Slack have
to do with it is owed as rows, and bells are rung after the commit.
"""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import RENEWABLE, Policy, Verb
from bot.bell import Bells
from bot.catalogue import Catalogue, Profile
from bot.forms import FormProblems, check_form
from bot.registration import (
    Form,
    Person,
    Refusal,
    Registration,
    RunKind,
    SecretState,
    Status,
    Vote,
)
from bot.storage import dues, history, messages, registrations, runs, secrets
from bot.storage.database import Database
from bot.storage.dues import DueKind
from bot.storage.messages import MessageKind
from bot.values import Values, values_of
from bot.vault import Vault
from graph.clock import Clock

VISIBLE = timedelta(seconds=60)
"""How long a secret stays on the screen unless the requester hides it."""
CONFIRMED_WITHIN = timedelta(seconds=30)
"""A reveal that nobody confirmed by then is doubtful: the process died while it answered."""
SHORTEST = timedelta(days=1)
"""A secret that would end sooner is not worth making."""
LISTED = 10


@dataclass(frozen=True, kw_only=True)
class Reveal:
    """The one look at a secret."""

    secret: str
    values: Values

    def __repr__(self) -> str:
        return f"Reveal({self.secret}, …)"


class Registrar:
    """What people can do."""

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
        bells: Bells,
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
        self._bells = bells

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def check_may_ask(self, person: Person) -> None:
        """Raise Refusal unless this person may open the form."""
        self._policy.check_may_ask(person)

    async def submit(self, form: Form, *, by: Person, origin: str) -> str:
        """Start a registration and return its id. The same `origin` gives the same registration.

        Raises Refusal, or FormProblems with a sentence for each field.
        """
        self._policy.check_may_ask(by)
        profile = self.profile(form.profile)
        if problems := check_form(form, profile):
            raise FormProblems(problems)
        async with self._writing() as tx:
            wish = self._new(form, profile, by)
            while not await registrations.add(tx, wish, origin=origin):
                if known := await registrations.from_origin(tx, origin):
                    return known
                wish = replace(wish, id=self._new_id())
            await self._begin(tx, wish)
        return wish.id

    async def approve(self, id: str, *, by: Person) -> None:
        """Vote for the plan; the last vote that is needed starts the run. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.APPROVE, id, by)
            self._check_in_time(registration)
            digest = registration.digest or ""
            if by.key in {vote.person.key for vote in registration.votes}:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            now = self._clock.now()
            await registrations.vote(
                tx, id, Vote(person=by, verdict="approve", at=now), digest=digest
            )
            await history.write(tx, id, "approved", by=by, now=now, digest=digest)
            if await registrations.approvals(tx, id, digest=digest) >= self.approvals_needed:
                await registrations.move(tx, id, Status.APPROVED, deadline=None)
                await dues.drop(tx, id, DueKind.EXPIRE)
                await self._owe_run(tx, id, RunKind.REGISTER)

    async def deny(self, id: str, *, by: Person) -> None:
        """Decide against the plan, which ends the registration. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.DENY, id, by)
            now, digest = self._clock.now(), registration.digest or ""
            if by.key in {vote.person.key for vote in registration.votes}:
                raise Refusal(
                    f"You have approved {id} already, so you cannot deny it."
                    " Another approver still can."
                )
            await registrations.vote(tx, id, Vote(person=by, verdict="deny", at=now), digest=digest)
            await history.write(tx, id, "denied", by=by, now=now, digest=digest)
            await self._close(tx, id, Status.DENIED)
            await messages.owe(tx, id, MessageKind.NEWS, registration.requester.user_id)

    async def cancel(self, id: str, *, by: Person) -> None:
        """Take back a registration that nobody has decided on. Raises Refusal."""
        async with self._writing() as tx:
            await self._allowed(tx, Verb.CANCEL, id, by)
            await history.write(tx, id, "cancelled", by=by, now=self._clock.now())
            await self._close(tx, id, Status.CANCELLED)

    async def retry(self, id: str, *, by: Person) -> None:
        """Go on with a failed registration where it stopped. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.RETRY, id, by)
            self._check_idle(registration)
            planned = registration.plan is not None
            target = Status.APPROVED if planned else Status.PLANNING
            await registrations.move(tx, id, target, failure=None, deadline=None)
            await dues.drop(tx, id, DueKind.UNDO)
            await self._owe_run(tx, id, RunKind.REGISTER if planned else RunKind.PLAN)
            await history.write(tx, id, "retried", by=by, now=self._clock.now())

    async def undo(self, id: str, *, by: Person) -> None:
        """Remove what a failed registration has made. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.UNDO, id, by)
            self._check_idle(registration)
            await dues.drop(tx, id, DueKind.UNDO)
            await self._owe_run(tx, id, RunKind.UNDO)
            await history.write(tx, id, "undo asked", by=by, now=self._clock.now())

    async def values(self, id: str, *, by: Person) -> Values:
        """Return the connector values without the secret. Raises Refusal."""
        async with self._database.reading() as tx:
            registration = await self._get(tx, id)
            self._policy.check(Verb.VALUES, by, registration)
            return values_of(registration, self.profile(registration.form.profile))

    async def reveal(self, id: str, *, by: Person, answer_to: str) -> Reveal:
        """Take the secret out of the vault, for one look at `answer_to`. Raises Refusal.

        The claim is committed before the secret is opened: of two clicks one wins, and a crash
        loses the secret rather than showing it twice. That it will be masked is committed with it,
        because nobody can be sure later what stands on a screen. The caller says `shown` or `lost`
        next.
        """
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.REVEAL, id, by)
            secret = registration.secret
            if secret is None or secret.state is not SecretState.SEALED:
                raise Refusal(_why_not(registration))
            self._check_in_time(registration)
            sealed = await secrets.sealed_bytes(tx, secret.id) or b""
            await secrets.change(
                tx,
                secret.id,
                SecretState.CLAIMED,
                since=[SecretState.SEALED],
                sealed=None,
                answer_to=self._vault.seal(secret.id, answer_to),
            )
            now = self._clock.now()
            await registrations.note(tx, id, deadline=None)
            await dues.drop(tx, id, DueKind.UNREAD)
            await dues.add(tx, id, DueKind.UNKNOWN, now + CONFIRMED_WITHIN, subject=secret.id)
            await dues.add(tx, id, DueKind.MASK, now + VISIBLE, subject=secret.id)
            await history.write(tx, id, "secret claimed", by=by, now=now, secret=secret.id)
        clear = self._vault.open(secret.id, sealed)
        profile = self.profile(registration.form.profile)
        return Reveal(secret=secret.id, values=values_of(registration, profile, secret=clear))

    async def shown(self, id: str, secret: str, *, by: Person) -> None:
        """Note that Slack took the secret."""
        await self._confirm(id, secret, SecretState.SHOWN, "secret shown", by)

    async def lost(self, id: str, secret: str, *, by: Person) -> None:
        """Note that nobody can tell whether the secret was seen."""
        await self._confirm(id, secret, SecretState.UNKNOWN, "secret doubtful", by)

    async def _confirm(
        self, id: str, secret: str, state: SecretState, what: str, by: Person
    ) -> None:
        """Say what came of a claim, unless that was decided in the meantime."""
        async with self._writing() as tx:
            await registrations.touch(tx, id)
            await dues.drop(tx, id, DueKind.UNKNOWN, secret)
            if await secrets.change(tx, secret, state, since=[SecretState.CLAIMED]):
                await history.write(tx, id, what, by=by, now=self._clock.now(), secret=secret)

    async def hide(self, id: str, *, by: Person) -> None:
        """Have whatever is open masked now instead of in a minute. Raises Refusal."""
        async with self._writing() as tx:
            await self._allowed(tx, Verb.VALUES, id, by)
            now = self._clock.now()
            await dues.hasten(tx, id, DueKind.MASK, now)
            await history.write(tx, id, "hidden by hand", by=by, now=now)

    async def masked(self, id: str, secret: str) -> None:
        """Note that the secret is off the screen."""
        await self._cover(id, secret, SecretState.MASKED, "secret masked")

    async def unmasked(self, id: str, secret: str) -> None:
        """Note that Slack would not hide the secret."""
        await self._cover(id, secret, SecretState.UNMASKED, "secret not masked")

    async def _cover(self, id: str, secret: str, state: SecretState, what: str) -> None:
        async with self._writing() as tx:
            await registrations.touch(tx, id)
            await secrets.forget_answer_to(tx, secret)
            if await secrets.change(tx, secret, state, since=[SecretState.SHOWN]):
                await history.write(tx, id, what, now=self._clock.now(), secret=secret)

    async def renew(self, id: str, *, by: Person) -> None:
        """Make a new secret in place of a lost one, which then stops working. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.RENEW, id, by)
            self._check_idle(registration)
            secret = registration.secret
            if secret is None or secret.state not in RENEWABLE:
                raise Refusal(_why_not(registration))
            if secret.expires_at is None or secret.expires_at < self._clock.now() + SHORTEST:
                raise Refusal(
                    f"The time approved for the secret of {id} is over."
                    " Ask for a new application with `/aad-setup`."
                )
            await self._owe_run(tx, id, RunKind.RENEW, subject=secret.id)
            await history.write(tx, id, "new secret asked", by=by, now=self._clock.now())

    async def check(self, id: str, *, by: Person) -> None:
        """Have the tenant compared with the plan; `by` is told the result. Raises Refusal."""
        id = id.upper()
        async with self._writing() as tx:
            registration = await self._allowed(tx, Verb.CHECK, id, by)
            self._check_idle(registration)
            await self._owe_run(tx, id, RunKind.CHECK, subject=by.user_id)
            await history.write(tx, id, "check asked", by=by, now=self._clock.now())

    async def status(self, id: str, *, by: Person) -> Registration:
        """Return the registration, for anybody in the team. Raises Refusal if there is none."""
        self._policy.check_account(by)
        async with self._database.reading() as tx:
            return await self._get(tx, id.upper())

    async def mine(self, person: Person) -> Sequence[Registration]:
        """Return the person's latest registrations, newest first."""
        self._policy.check_account(person)
        async with self._database.reading() as tx:
            ids = await registrations.latest_of(tx, person, limit=LISTED)
            return [await self._get(tx, id) for id in ids]

    async def is_news(self, event_id: str) -> bool:
        """Whether this event of Slack's comes for the first time."""
        async with self._database.transaction() as tx:
            return await messages.first_sight(tx, event_id, self._clock.now())

    @property
    def approvals_needed(self) -> int:
        return self._policy.approvals_needed

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction() as tx:
            yield tx
        self._bells.ring()

    async def _get(self, tx: AsyncConnection, id: str) -> Registration:
        registration = await registrations.get(tx, id)
        if registration is None:
            raise Refusal(_unknown(id))
        return registration

    async def _allowed(self, tx: AsyncConnection, verb: Verb, id: str, by: Person) -> Registration:
        """Lock the registration and judge: whoever comes second sees what the first one did."""
        registration = await registrations.locked(tx, id)
        if registration is None:
            raise Refusal(_unknown(id))
        self._policy.check(verb, by, registration)
        return registration

    def _check_in_time(self, registration: Registration) -> None:
        """Raise Refusal if the state's deadline is over, though nobody has noticed yet."""
        if registration.deadline is not None and registration.deadline <= self._clock.now():
            raise Refusal(f"Too late: the time that {registration.id} had for this is over.")

    def _check_idle(self, registration: Registration) -> None:
        if registration.run is not None:
            raise Refusal(f"{registration.id} is being worked on. Try again in a moment.")

    async def _close(self, tx: AsyncConnection, id: str, target: Status) -> None:
        await registrations.move(tx, id, target, deadline=None)
        await dues.drop(tx, id, DueKind.EXPIRE)

    async def _owe_run(
        self, tx: AsyncConnection, id: str, kind: RunKind, subject: str | None = None
    ) -> None:
        await runs.owe(
            tx,
            id=uuid4().hex,
            registration=id,
            kind=kind,
            subject=subject,
            now=self._clock.now(),
        )

    def _new(self, form: Form, profile: Profile, by: Person) -> Registration:
        return Registration(
            id=self._new_id(),
            version=1,
            status=Status.PLANNING,
            requester=replace(by, doubts=()),
            form=form,
            profile_digest=profile.digest,
            # 128 random bits: no other installation's key can be the same by accident.
            key=f"aad-setup-{self._installation}-{uuid4().hex}",
            created_at=self._clock.now(),
        )

    async def _begin(self, tx: AsyncConnection, wish: Registration) -> None:
        by, form = wish.requester, _plain_form(wish.form)
        await messages.owe(tx, wish.id, MessageKind.PROGRESS, by.user_id)
        await self._owe_run(tx, wish.id, RunKind.PLAN)
        await history.write(tx, wish.id, "submitted", by=by, now=wish.created_at, **form)

    def profile(self, id: str) -> Profile:
        """Return the profile. Raises Refusal if there is none."""
        if id not in self._catalogue:
            raise Refusal(f"There is no profile {id}. Open the form again and choose one.")
        return self._catalogue[id]


def _unknown(id: str) -> str:
    if not re.fullmatch(r"AAD-[A-Z0-9]{4}", id):
        return "That is no id: they look like AAD-7K3F. `/aad-setup status` lists yours."
    return f"There is no registration {id}. `/aad-setup status` lists yours."


def _plain_form(form: Form) -> dict[str, Any]:
    return {"profile": form.profile, "name": form.name, "secret_days": form.secret_days}


def _why_not(registration: Registration) -> str:
    """Say why the secret cannot be shown, and what to do next."""
    id, secret = registration.id, registration.secret
    if registration.run is RunKind.RENEW:
        return f"A new secret of {id} is being made. You get a message when it works."
    match secret.state if secret else None:
        case SecretState.SHOWN | SecretState.MASKED | SecretState.UNMASKED:
            return (
                f"The secret of {id} was shown once, and once is all there is."
                " If you did not keep it, make a new one."
            )
        case SecretState.CLAIMED:
            return f"The secret of {id} is being shown right now."
        case SecretState.UNKNOWN:
            return f"Nobody can tell whether the secret of {id} was seen. Make a new one."
        case SecretState.CLOSED | SecretState.REMOVED:
            return f"Nobody came for the secret of {id} in time, so it is gone. Make a new one."
        case SecretState.REPLACED:
            return f"The secret of {id} was replaced by one that did not last. Make a new one."
        case SecretState.SEALED:
            return f"The secret of {id} waits unseen: press *Get the values*."
        case _:
            return f"{id} has no secret yet."
