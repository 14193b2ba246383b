"""Sign an approver in at the consent client by a code that they enter on a page of Entra's.

A code is bound to no browser: any person to whom it is passed on could enter it, so that this way
is off unless CONSENT_DEVICE_CODE says otherwise. Entra takes it from public clients only.

    SignInFailed
    ├── PublicFlowsOff   the consent client is no public client
    └── Abandoned        the bot does not wait for the sign-in any more

learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graph.approver_sign_in import ANSWER, ApproverSignIn, SignedIn, told_to_approver
from graph.calls import Json, filled, written_as
from graph.errors import SignInFailed, Throttled, Unavailable
from graph.signin import seconds
from graph.signin_errors import AskedTooOften, CodeExpired, CodePending, CredentialMissing

PAGE = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?", re.ASCII)
TYPED = re.compile(r"[A-Za-z0-9-]{4,32}", re.ASCII)
"""Of what people see of a code: nothing that Slack would read as markup."""
DEVICE_CODE_TTL = timedelta(minutes=15)
"""How long a code is waited for at most, whatever Entra says."""
LONGEST_PAUSE = 60.0
"""Seconds between two requests for the token at most: an approver waits for what comes of it."""
AT_ONCE = 2
"""Requests for a token at the same time. Each takes a thread, for half a minute if Entra does not
answer, and of those there are few: signing in, DNS and files need some, too.
"""
LONGER = 5.0
"""Seconds by which each `slow_down` lengthens the pause: RFC 8628, 3.5."""


class PublicFlowsOff(SignInFailed):
    TEXT = "The consent client does not allow public client flows, which sign-ins with a code take."
    ADVICE = "Ask this bot's administrators to allow them, or to turn CONSENT_DEVICE_CODE off."


class Abandoned(SignInFailed):
    TEXT = "The bot does not wait for this code any more."
    ADVICE = ""


@dataclass(frozen=True, kw_only=True)
class DeviceCode:
    """A code that an approver enters on a page of Entra's, in any browser."""

    page: str
    user_code: str = field(repr=False)
    ends_at: datetime
    pause: float
    """Seconds between two requests for the token."""
    flow: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DeviceSignIn:
    """Begin and end sign-ins with a code. What a sign-in must show is the same as in a browser."""

    approver_sign_in: ApproverSignIn
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def begin(self) -> DeviceCode:
        """Return a new code. Raises GraphError."""
        async with self.turns:
            return await asyncio.to_thread(self._begin)

    async def wait(
        self, code: DeviceCode, *, object_id: str, goes_on: Callable[[float], Awaitable[bool]]
    ) -> SignedIn:
        """Return who signed in with the code, who must be the user of that object id.

        `goes_on` waits for so many seconds, and says whether to ask again. Raises GraphError.
        """
        pause = code.pause
        while await goes_on(pause):
            try:
                async with self.turns:
                    answer = await asyncio.to_thread(self._redeem, code)
            except AskedTooOften:
                pause += LONGER
            except (CodePending, Throttled, Unavailable) as error:
                pause = min(max(pause, error.retry_after or 0.0), LONGEST_PAUSE)
            else:
                return self.approver_sign_in.signed_in(answer, object_id)
            if self.approver_sign_in.clock.now() >= code.ends_at:
                raise CodeExpired
        raise Abandoned

    def _begin(self) -> DeviceCode:
        shared = self.approver_sign_in
        # The discovery document may name no address for it.
        with told_to_approver(otherwise="Entra offers no sign-in with a code here."):
            flow: Json = shared.client(None, _CODE).initiate_device_flow(**shared.wanted())
        lifetime = min(timedelta(seconds=flow["expires_in"]), DEVICE_CODE_TTL)
        return DeviceCode(
            page=flow["verification_uri"],
            user_code=flow["user_code"],
            ends_at=shared.clock.now() + lifetime,
            pause=min(float(flow["interval"]), LONGEST_PAUSE),
            flow=flow,
        )

    def _redeem(self, code: DeviceCode) -> Json:
        """Ask once. Refusals leave msal's own loop, which knows another clock than ours."""
        shared = self.approver_sign_in
        claims = shared.wanted()["claims_challenge"]
        try:
            with told_to_approver():
                answer: Json = shared.client(None, ANSWER).acquire_token_by_device_flow(
                    dict(code.flow), claims_challenge=claims
                )
        except CredentialMissing:
            raise PublicFlowsOff from None
        return answer


_CODE = {
    "device_code": filled,
    "user_code": written_as(TYPED),
    "verification_uri": written_as(PAGE),
    "expires_in": seconds,
    "interval": seconds,
}
