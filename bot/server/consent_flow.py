"""An approver's sign-in from the link, or the code, to the grants: what is said to Entra between
transactions. The two differ only in how the token comes.

A kill anywhere leaves the registration waiting. The sign-in that was cut off is used up; another
one finishes, and grants that were made already are found by the watch or by that one.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.planning.plans import consenters
from bot.registrar import Registrar
from bot.registrar.sign_ins import AGAIN, CODE_AGAIN, Granter, check_browser, cookie_of
from bot.runs.consent import settled
from bot.services import Services
from graph.application import check_is_ours
from graph.approver_sign_in import ApproverSignIn, SignedIn
from graph.device_sign_in import DeviceCode, DeviceSignIn
from graph.errors import Forbidden, GraphError
from graph.grants import grant_for
from graph.permissions import Permission
from graph.plan import Plan
from graph.step_context import GrantContext
from handlers.slack.users import Users
from handlers.views.ui import escaped

log = structlog.get_logger()

LAG = timedelta(seconds=20)
"""For so long it may be a replica that lags if there is more than was approved."""
GRANT_SECONDS = 40.0
"""Real seconds for looking and granting: most proxies wait a minute for an answer."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How an approver signs in, and so where they read what came of it."""

    with_code: bool
    again: str
    """The end of every refusal that another sign-in may overcome."""
    foreign: Callable[[str], str]
    """Writes text from Entra, where anybody may have chosen it, so that it is only shown."""


LINK = Way(with_code=False, again=AGAIN, foreign=str)
"""The pages escape all of a refusal."""
CODE = Way(with_code=True, again=CODE_AGAIN, foreign=escaped)
"""Slack interprets a refusal: a name in the tenant could be a link."""


@dataclass(frozen=True, kw_only=True)
class ConsentFlow:
    """The sign-ins of approvers, for the pages that their browsers see."""

    services: Services
    registrar: Registrar
    users: Users
    device_sign_in: DeviceSignIn
    grant_seconds: float = GRANT_SECONDS

    async def begin(self, token: str, cookies: Mapping[str, str]) -> tuple[str, str, str]:
        """Bind the link to the browser that has these cookies. Return where it goes to sign in, and
        the name and value of the cookie by which it is known when it comes back. Raises Refusal.
        """
        attempt, _ = await self.registrar.sign_ins.offer(token)
        check_browser(attempt, cookies)
        name = cookie_of(attempt)
        cookie = cookies[name] if attempt.browser else secrets.token_urlsafe()
        with _in_sentences(attempt.registration, LINK):
            begun = await self.device_sign_in.approver_sign_in.begin()
        await self.registrar.sign_ins.bind(attempt, begun, cookie=cookie)
        return begun.uri, name, cookie

    async def finish(self, form: Mapping[str, str], cookies: Mapping[str, str]) -> str:
        """Grant what the approver has signed in for, and return a sentence about it.

        `form` is what the browser brought back from Entra. Raises Refusal.
        """
        sign_ins, sign_in = self.registrar.sign_ins, self.device_sign_in.approver_sign_in
        attempt, flow, object_id = await sign_ins.take(form.get("state", ""), cookies)
        with _in_sentences(attempt.registration, LINK):
            signed_in = await sign_in.redeem(flow, form, object_id=object_id)
        return await self._finish(attempt.registration, attempt.user_id, signed_in, LINK)

    async def with_code(
        self,
        id: str,
        *,
        by: Person,
        show: Callable[[DeviceCode], Awaitable[None]],
        goes_on: Callable[[float], Awaitable[bool]],
    ) -> str:
        """Show this approver a code, wait until they have signed in with it, grant what they have
        signed in for, and return a sentence about it.

        `goes_on` waits for so many seconds, and says whether the code is still waited for. Raises
        Refusal.
        """
        object_id = await self.registrar.sign_ins.check_code(id, by=by)

        async def is_wanted(seconds: float) -> bool:
            if not await goes_on(seconds):
                return False
            await self.registrar.sign_ins.check_waits(id)
            return True

        with _in_sentences(id, CODE):
            code = await self.device_sign_in.begin()
            await show(code)
            signed_in = await self.device_sign_in.wait(code, object_id=object_id, goes_on=is_wanted)
        return await self._finish(id, by.user_id, signed_in, CODE)

    async def _finish(self, id: str, user_id: str, signed_in: SignedIn, way: Way) -> str:
        """Grant with the token of an approver who has signed in. Raises Refusal."""
        sign_ins, person = self.registrar.sign_ins, await self.users.look_up(user_id)
        granter = Granter(by=person, account=signed_in.name, with_code=way.with_code)
        registration = await sign_ins.signed_in(id, granter)
        with _in_sentences(id, way):
            is_new = await self._grant(registration, signed_in, way)
        status = await sign_ins.granted(registration, granter, is_new=is_new)
        return _outcome(registration, status)

    async def _grant(self, registration: Registration, signed_in: SignedIn, way: Way) -> bool:
        """Make the grants that are missing, unless there is more than was approved. Return whether
        any was missing. Raises Refusal and GraphError.
        """
        services = self.services
        context = GrantContext(
            graph=services.tenant.graph,
            plan=Plan.from_json(dict(registration.plan or {})),
            facts=registration.facts,
            clock=services.clock,
            bot_client_id=services.settings.client_id,
        )
        try:
            async with asyncio.timeout(self.grant_seconds):
                await check_is_ours(context)
                before = await settled(services, context, registration.id, within=LAG)
                if before.unapproved:
                    await self.registrar.sign_ins.refused(registration.id, before.unapproved)
                    found = way.foreign(" ".join(before.unapproved))
                    raise Refusal(
                        f"There is more in Entra than was approved, so nothing was granted for"
                        f" {registration.id}: {found} {way.again}"
                    )
                if before.ungranted:
                    await self._grant_missing(context, signed_in, before.ungranted, way)
        except TimeoutError:
            raise Refusal(
                f"Entra has not granted it within {self.grant_seconds:.0f} seconds. The bot finds"
                f" what it has granted; for the rest, sign in again. {way.again}"
            ) from None
        return bool(before.ungranted)

    async def _grant_missing(
        self, context: GrantContext, signed_in: SignedIn, missing: AbstractSet[Permission], way: Way
    ) -> None:
        """Make these grants with the approver's token. Raises Refusal and GraphError."""
        plan, graph = context.plan, context.graph.with_token(signed_in.token)
        try:
            await grant_for(replace(context, graph=graph), missing)
        except Forbidden as error:
            log.info("approver may not grant", registration=plan.registration, code=error.code)
            raise Refusal(
                f"Entra did not let {way.foreign(signed_in.name)} grant this. It takes"
                f" {consenters(plan)}. If that role was activated just now, wait some minutes."
                f" {way.again}"
            ) from None


def consent_flow_of(services: Services, registrar: Registrar, users: Users) -> ConsentFlow | None:
    """Return the flow of consent mode `signed-in`; None in any other mode."""
    settings = services.settings
    if settings.approver_sign_ins is None:
        return None
    approver_sign_in = ApproverSignIn(
        sign_in=services.tenant.sign_in,
        consent_client=settings.approver_sign_ins.consent_client,
        access=settings,
        clock=services.clock,
    )
    return ConsentFlow(
        services=services,
        registrar=registrar,
        users=users,
        device_sign_in=DeviceSignIn(approver_sign_in=approver_sign_in),
    )


@contextmanager
def _in_sentences(id: str, way: Way) -> Iterator[None]:
    """Turn an error of Entra's inside into a Refusal, and log its number."""
    try:
        yield
    except GraphError as error:
        request = error.request_id
        log.info("approver not signed in", registration=id, code=error.code, request=request)
        traced = f"Request ID: {request}." if request else ""
        said = way.foreign(" ".join(filter(None, (error.sentence, error.advice, traced))))
        raise Refusal(f"{said} {way.again}") from None


def _outcome(registration: Registration, status: Status) -> str:
    id = registration.id
    if status is Status.APPROVED:
        return (
            f"The permissions of {id} are granted. The bot goes on; its card shows how far it is."
        )
    if status is Status.WAITING_FOR_CONSENT:
        return f"The permissions of {id} are granted. The bot goes on within some minutes."
    return f"The permissions are granted, but {id} does not wait for them any more: it is {status}."
