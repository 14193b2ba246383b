"""Previews: requesters see the plan for a form before it is sent for approval.

A preview is no promise, so nothing of it is stored: a view over the form says that the tenant is
being read, and shows the result as soon as it is known. If the bot dies in between, the view has
said how to go on. Each process counts the previews of a user by itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import Profile
from bot.domain.people import Person, Refusal
from bot.domain.registration import Form
from bot.planning.preview import Preview
from bot.worker.loops import run_guarded
from graph.clock import Clock
from graph.errors import GraphError
from handlers.slack.api_errors import code_of
from handlers.views import preview as views
from handlers.views.preview import Seen

Look = Callable[[Form, Profile], Awaitable[Preview]]
"""Reads the tenant and returns the plan. Raises GraphError."""

log = structlog.get_logger()

MOST_AN_HOUR = 20
"""How many previews one person may have in an hour; a new one only when the last is there."""
HOUR = timedelta(hours=1)
AT_ONCE = 20
"""Of how many people at a time; each takes one call of Graph or a few."""
REST_SECONDS = 1.0
"""How long a stop waits for those that are under way, in real seconds."""
CLOSED = "not_found"
"""Slack's errors for a view that its reader has closed."""


@dataclass(frozen=True, kw_only=True)
class PreviewRequest:
    """One preview: its form, and the view that shows it."""

    form: Form
    profile: Profile
    in_the_way: tuple[str, ...]
    view_id: str
    user_id: str


class PreviewMaker:
    """Makes previews and shows them."""

    def __init__(self, *, client: AsyncWebClient, look: Look, clock: Clock, contact: str) -> None:
        self._client = client
        self._look = look
        self._clock = clock
        self._contact = contact
        self._begun: dict[str, deque[datetime]] = {}
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self,
        form: Form,
        profile: Profile,
        *,
        by: Person,
        trigger_id: str,
        in_the_way: tuple[str, ...] = (),
    ) -> None:
        """Lay a view over the form now, and fill it when the tenant was read.

        `in_the_way` is said beside the plan. Raises Refusal if this person has had enough.
        """
        self._take_turn(by.user_id)
        task = None
        try:
            answer = await self._client.views_push(trigger_id=trigger_id, view=views.waiting())
            request = PreviewRequest(
                form=form,
                profile=profile,
                in_the_way=in_the_way,
                view_id=answer["view"]["id"],
                user_id=by.user_id,
            )
            task = asyncio.create_task(self._make(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        finally:
            if task is None:
                self._busy.discard(by.user_id)

    async def settle(self) -> None:
        """Let running previews end; slow ones are given up, as the view has said."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=REST_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take_turn(self, user: str) -> None:
        """Count one more. Raises Refusal if it is one too many."""
        now = self._clock.now()
        for each, begun in list(self._begun.items()):
            while begun and begun[0] <= now - HOUR:
                begun.popleft()
            if not begun:
                del self._begun[each]
        begun = self._begun.setdefault(user, deque())
        if user in self._busy:
            raise Refusal("Your last preview is still being made. It will appear on its own.")
        if len(begun) >= MOST_AN_HOUR:
            raise Refusal(
                f"You have had {MOST_AN_HOUR} previews within an hour, which is the most."
                " Try again later, or ask for approval: the approver sees the same."
            )
        if len(self._busy) >= AT_ONCE:
            raise Refusal("Many people are looking at previews just now. Try again in a moment.")
        begun.append(now)
        self._busy.add(user)

    async def _make(self, request: PreviewRequest) -> None:
        if bug := await run_guarded("preview", partial(self._answer, request)):
            await run_guarded(
                "preview", partial(self._show, request, views.broken(bug, contact=self._contact))
            )

    async def _answer(self, request: PreviewRequest) -> None:
        await self._show(request, await self._seen(request))

    async def _seen(self, request: PreviewRequest) -> Seen:
        try:
            found = await self._look(request.form, request.profile)
        except GraphError as error:
            log.warning("no preview", code=error.code, request=error.request_id)
            return views.unread(f"{error.sentence} {error.advice}")
        finally:
            # Before it is shown: its reader may ask for the next at once.
            self._busy.discard(request.user_id)
        return views.seen(found, in_the_way=request.in_the_way)

    async def _show(self, request: PreviewRequest, seen: Seen) -> None:
        """Fill the view that waits for it, or if that is closed, tell the person directly."""
        try:
            await self._client.views_update(view_id=request.view_id, view=views.modal(seen))
        except SlackApiError as error:
            if (code := code_of(error)) != CLOSED:
                log.warning("preview not shown", code=code)
                return
            await self._tell(request, seen)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("preview not shown", type=type(error).__name__)

    async def _tell(self, request: PreviewRequest, seen: Seen) -> None:
        text, blocks = views.message(seen, request.form)
        try:
            await self._client.chat_postMessage(
                channel=request.user_id,
                text=text,
                blocks=blocks,
                unfurl_links=False,
                unfurl_media=False,
            )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("preview not shown", type=type(error).__name__)
