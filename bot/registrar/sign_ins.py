"""An approver signs in at Entra to grant: the link, the browser, its one use, the vote behind it.

Each of these is a transaction; what they say to Entra in between is in bot/server/consent_flow.py.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Consent, Registration, Status
from bot.registrar.access import Access
from bot.runs.consent import awaited_steps, note, seen
from bot.settings.consent_client import ApproverSignIns
from bot.storage import audit, consents, history, registrations, sign_ins
from bot.storage.sign_ins import SignInAttempt, digest
from bot.storage.vault import SealBroken
from graph.approver_sign_in import Begun
from graph.consent import Granted
from graph.permissions import is_allowed
from graph.plan import Plan
from graph.rights import ConsentMode

PATH = "/consent/"
AGAIN = "Press *Sign in and grant* in Slack for a new link."
"""The end of every refusal that another sign-in may overcome."""
CODE_AGAIN = "Press *Sign in with a code* in Slack for a new code."
"""The same for a sign-in with a code."""
WITH_CODE = "with a code"
COOKIE = "__Host-aad-setup-"
"""How the names of cookies begin. Browsers take `__Host-` only from this host, over https."""
UNKNOWN = f"This link is not known, or it is too old. {AGAIN}"
TOO_LATE = f"This sign-in has expired. {AGAIN}"
USED = f"This sign-in was used already. {AGAIN}"
OTHER_BROWSER = (
    "This sign-in was begun in another browser. Continue in the browser in which you began, or"
    " press *Sign in and grant* in Slack for a new link."
)


@dataclass(frozen=True, kw_only=True)
class Granter:
    """An approver who has signed in."""

    by: Person
    account: str
    """As the tenant names it."""
    with_code: bool = False
    """Whether that was with a code, in a browser that the bot does not know."""


@dataclass(frozen=True)
class SignIns:
    """From the buttons to the grants of the approver who has signed in."""

    access: Access

    async def begin(self, id: str, *, by: Person) -> str:
        """Return a link by which only this approver can sign in. Raises Refusal."""
        token = secrets.token_urlsafe()
        async with self.access.locked_for(Verb.GRANT, id.upper(), by) as (tx, registration):
            settings = await self._check(tx, registration, by)
            now = self.access.now()
            await sign_ins.add(tx, token, registration=registration.id, by=by, now=now)
        return f"{settings.public_url}{PATH}{token}"

    async def offer(self, token: str) -> tuple[SignInAttempt, Registration]:
        """Return what a link is for: the sign-in, and what it is to grant. Nothing changes: Slack
        and mail look at links, too. Raises Refusal.
        """
        async with self.access.services.database.reading() as tx:
            attempt = self._usable(await sign_ins.by_token(tx, token))
            registration = await self.access.loaded(tx, attempt.registration)
        _check_waits(registration)
        return attempt, registration

    async def bind(self, attempt: SignInAttempt, begun: Begun, *, cookie: str) -> None:
        """Bind a sign-in to the browser that holds this cookie. Raises Refusal."""
        write, vault = self.access.services.database.write, self.access.services.vault
        state, flow = begun.state, begun.flow
        if not await write(sign_ins.bind, attempt, vault, cookie=cookie, state=state, flow=flow):
            raise Refusal(OTHER_BROWSER)

    async def take(
        self, state: str, cookies: Mapping[str, str]
    ) -> tuple[SignInAttempt, dict[str, Any], str]:
        """Use up the sign-in to which Entra's answer belongs: once, in one browser, in time. Return
        it with what msal needs to end it, and the approver's account in Entra.

        It is used up before anything is made of the answer. Raises Refusal.
        """
        services = self.access.services
        # Anybody can send an answer: only one that belongs to a sign-in may wait to write.
        attempt = await services.database.read(sign_ins.by_state, state)
        if attempt is not None:
            check_browser(attempt, cookies)
        attempt = self._usable(attempt)
        if attempt.flow is None:
            raise Refusal(USED)
        if not await services.database.write(sign_ins.take, attempt, now=self.access.now()):
            raise Refusal(USED)
        try:
            flow: dict[str, Any] = json.loads(services.vault.open(attempt.owner, attempt.flow))
        except SealBroken:
            raise Refusal(UNKNOWN) from None
        settings = services.settings.approver_sign_ins
        object_id = settings.identities.get(attempt.user_id) if settings else None
        if object_id is None:
            raise Refusal(self._no_identity())
        return attempt, flow, object_id

    async def check_code(self, id: str, *, by: Person) -> str:
        """Return the object id of this approver's account in Entra, if they can sign in with a code
        to grant. Raises Refusal.
        """
        async with self.access.locked_for(Verb.GRANT, id, by) as (tx, registration):
            settings = await self._check(tx, registration, by)
        return settings.identities[by.user_id]

    async def check_waits(self, id: str) -> None:
        """Raise Refusal unless this registration still waits for consent."""
        _check_waits(await self.access.services.database.read(self.access.loaded, id))

    async def signed_in(self, id: str, granter: Granter) -> Registration:
        """Note that the approver has signed in, if their approval still counts now.

        Return what they are to grant. Raises Refusal.
        """
        async with self.access.locked_for(Verb.GRANT, id, granter.by) as (tx, registration):
            settings = await self._check(tx, registration, granter.by)
            told = {
                "account": granter.account,
                "context": settings.consent_client.auth_context or "",
                "how": WITH_CODE if granter.with_code else "",
            }
            now = self.access.now()
            await history.write(tx, id, Event.SIGNED_IN, by=granter.by, now=now, **told)
        return registration

    async def refused(self, id: str, unapproved: Sequence[str]) -> None:
        """Let the card say what is in Entra and was not approved."""
        async with self.access.services.writing() as tx:
            current = await registrations.locked(tx, id)
            if current is not None and current.status is Status.WAITING_FOR_CONSENT:
                before = current.consent or Consent(at=self.access.now())
                after = replace(before, foreign=tuple(unapproved))
                await registrations.update(tx, id, consent=after)

    async def granted(
        self, registration: Registration, granter: Granter, *, is_new: bool
    ) -> Status:
        """Note that all is granted, and return where the registration stands with that. `is_new` if
        the approver has granted any of it.

        Grants that come after something else has ended its waiting change nothing.
        """
        settings = self.access.services.settings.approver_sign_ins
        context = (settings.consent_client.auth_context if settings else None) or ""
        id, now, plan = registration.id, self.access.now(), _plan_of(registration)
        permissions, steps = (*plan.roles, *plan.scopes), awaited_steps(registration)
        found = Granted(permissions=frozenset(permissions), steps=frozenset(steps))
        async with self.access.services.writing() as tx:
            current = await registrations.locked(tx, id)
            if current is not None and current.status is Status.WAITING_FOR_CONSENT:
                known = seen(current.consent or Consent(at=now), found, now)
                if is_new:
                    known = replace(
                        known,
                        by=granter.by.user_id,
                        account=granter.account,
                        context=context,
                        with_code=granter.with_code,
                    )
                await note(tx, current, known, found, now=now)
                if current.run is None:
                    await consents.go_on(tx, id, now=now, by=granter.by)
            current = await registrations.get(tx, id)
        assert current is not None
        return current.status

    async def _check(
        self, tx: AsyncConnection, registration: Registration, by: Person
    ) -> ApproverSignIns:
        """Return how approvers sign in, if this one may do that to grant this plan.

        Raises Refusal.
        """
        id, settings = registration.id, self.access.services.settings.approver_sign_ins
        plan = Plan.from_json(dict(registration.plan or {}))
        if settings is None or plan.consent_mode != ConsentMode.SIGNED_IN:
            raise Refusal(f"{id} is granted in the Entra admin centre: its card says how.")
        approvals = registration.approvals()
        vote = next((each for each in approvals if each.person.key == by.key), None)
        if vote is None:
            raise Refusal(f"Only an approver whose approval of {id} counts can sign in for it.")
        if not plan.digest == registration.digest == vote.digest:
            raise Refusal(f"The stored plan of {id} is not the one approved.")
        if not all(is_allowed(each) for each in (*plan.roles, *plan.scopes)):
            raise Refusal(f"The plan of {id} holds a permission that is not allowed.")
        if by.user_id not in settings.identities:
            raise Refusal(self._no_identity())
        await audit.check_approved(tx, registration, None, approvals)
        await audit.check_waits(tx, registration)
        return settings

    def _usable(self, attempt: SignInAttempt | None) -> SignInAttempt:
        if attempt is None:
            raise Refusal(UNKNOWN)
        if attempt.used_at is not None:
            raise Refusal(USED)
        if attempt.expires_at <= self.access.now():
            raise Refusal(TOO_LATE)
        return attempt

    def _no_identity(self) -> str:
        contact = self.access.services.policy.contact
        said = "No Entra account is known to be yours."
        return f"{said} Ask {contact} to add it to APPROVER_IDENTITIES."


def cookie_of(attempt: SignInAttempt) -> str:
    """Return the name of the cookie of a sign-in: several can go on in one browser."""
    return f"{COOKIE}{attempt.id[:16]}"


def check_browser(attempt: SignInAttempt, cookies: Mapping[str, str]) -> None:
    """Raise Refusal if another browser than the one with these cookies has begun the sign-in."""
    if attempt.browser not in (None, digest(cookies.get(cookie_of(attempt), ""))):
        raise Refusal(OTHER_BROWSER)


def _check_waits(registration: Registration) -> None:
    if registration.status is not Status.WAITING_FOR_CONSENT:
        raise Refusal(f"{registration.id} does not wait for consent any more.")


def _plan_of(registration: Registration) -> Plan:
    return Plan.from_json(dict(registration.plan or {}))
