"""Sign-ins of approvers with a code: show it, wait for its use, and say what came of it.

Nothing of a code is stored. If the bot stops in between, the code is of no use any more, and the
button is still there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from bot.domain.people import Person, Refusal
from bot.worker.loops import let_end, run_guarded, went_wrong
from graph.clock import Clock
from graph.device_sign_in import DeviceCode
from handlers.slack.destinations import ResponseUrls
from handlers.views import plan

AT_ONCE = 20
"""Codes that are waited for at the same time; each takes a request to Entra every few seconds."""
REST_SECONDS = 1.0
"""How long a stop waits for grants under way, in real seconds."""
OFF = "Sign-in with a code is switched off for this bot. Press *Sign in and grant*."
BUSY = "Many approvers are signing in with a code just now. Try again in some minutes."
UNSHOWN = "The code could not be shown. Press *Sign in with a code* again."


class SignInWithCode(Protocol):
    """What `bot.server.consent_flow.ConsentFlow.with_code` does."""

    async def __call__(
        self,
        id: str,
        *,
        by: Person,
        show: Callable[[DeviceCode], Awaitable[None]],
        goes_on: Callable[[float], Awaitable[bool]],
    ) -> str: ...


class CodeSignIns:
    """The sign-ins under way: one for each approver and registration."""

    def __init__(
        self,
        sign_in: SignInWithCode | None,
        *,
        response_urls: ResponseUrls,
        clock: Clock,
        contact: str,
    ) -> None:
        """Take what does it; None if the bot is to refuse it."""
        self._sign_in = sign_in
        self._response_urls = response_urls
        self._clock = clock
        self._contact = contact
        self._tasks: set[asyncio.Task[None]] = set()
        """Also those that another code has replaced, until they have ended."""
        self._newest: dict[tuple[str, str], asyncio.Event] = {}

    def begin(self, id: str, *, by: Person, url: str) -> None:
        """Show this approver a code by the response_url of their click, in place of an earlier one
        that they have not used. Raises Refusal.
        """
        if self._sign_in is None:
            raise Refusal(OFF)
        if len(self._tasks) >= AT_ONCE:
            raise Refusal(BUSY)
        key, over = (id, by.user_id), asyncio.Event()
        if key in self._newest:
            self._newest[key].set()
        self._newest[key] = over
        work = self._carry_out(self._sign_in, id, by, url, over)
        task = asyncio.create_task(work, name=f"sign-in with a code for {id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Stop waiting for codes, and let grants under way end."""
        for over in self._newest.values():
            over.set()
        await let_end(self._tasks, seconds=REST_SECONDS)

    async def _carry_out(
        self, sign_in: SignInWithCode, id: str, by: Person, url: str, over: asyncio.Event
    ) -> None:
        said = ""

        async def show(code: DeviceCode) -> None:
            if over.is_set():  # while Entra made it: a later click has a code, or the bot stops
                raise Refusal(UNSHOWN)
            text, blocks = plan.sign_in_code(id, code)
            if not await self._response_urls.add(url, text=text, blocks=blocks):
                raise Refusal(UNSHOWN)

        async def carry_out() -> None:
            nonlocal said
            try:
                said = await sign_in(id, by=by, show=show, goes_on=partial(self._sleep, over))
            except Refusal as refusal:
                said = str(refusal)

        if bug := await run_guarded("a sign-in with a code", carry_out):
            said = went_wrong(bug, self._contact)
        if self._newest.get((id, by.user_id)) is over:
            del self._newest[id, by.user_id]
            await self._response_urls.add(url, text=said)

    async def _sleep(self, over: asyncio.Event, seconds: float) -> bool:
        """Wait on the bot's clock. Return False as soon as the code is not waited for any more."""
        sleeping = asyncio.create_task(self._clock.sleep(seconds))
        ending = asyncio.create_task(over.wait())
        try:
            await asyncio.wait((sleeping, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ending.cancel()
            await asyncio.gather(sleeping, ending, return_exceptions=True)
        return not over.is_set()
