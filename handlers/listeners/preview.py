"""Previews: requesters see the plan for a form before they send it for approval.

Nothing of a preview is stored: a view on top of the form says that the tenant is being read, and
shows the plan as soon as it is known. If the bot stops in between, the view has said how to go on.
Each process counts the previews of a user by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from math import inf
from uuid import uuid4

import structlog
from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import Profile
from bot.domain.people import Person, Refusal
from bot.domain.registration import Form
from bot.planning.plans import Preview
from bot.worker.loops import let_end, run_guarded
from graph.clock import Clock
from graph.errors import GraphError
from handlers.slack.api_errors import FAILED, code_of
from handlers.views import preview as views
from handlers.views.preview import Seen

Look = Callable[[Form, Profile], Awaitable[Preview]]
"""Reads the tenant and returns the plan. Raises GraphError."""

log = structlog.get_logger()

MOST_AN_HOUR = 20
"""Previews of a user in an hour; one at a time."""
HOUR = timedelta(hours=1)
AT_ONCE = 20
"""Users whose previews are made at the same time; each takes a few calls of Graph."""
REST_SECONDS = 1.0
"""How long a stop waits for running previews, in real seconds."""
CLOSED = "not_found"
"""Slack's errors for a view that its reader has closed."""


class PreviewMaker:
    """Makes previews and shows them."""

    def __init__(self, *, client: AsyncWebClient, look: Look, clock: Clock, contact: str) -> None:
        self._client = client
        self._look = look
        self._contact = contact
        self._begun: TTLCache[str, str, datetime] = TTLCache(inf, HOUR, timer=clock.now)
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
        """Show a view on top of the form now, and fill it when the tenant was read.

        `in_the_way` is said beside the plan. Raises Refusal above the limits.
        """
        user = by.user_id
        self._count(user)
        try:
            answer = await self._client.views_push(trigger_id=trigger_id, view=views.waiting())
            view_id = answer["view"]["id"]
        except BaseException:  # a cancelled call, too, must not keep the user busy
            self._busy.discard(user)
            raise
        show = partial(self._show, view_id, user, form)

        async def make() -> None:
            try:
                seen = views.seen(await self._look(form, profile), in_the_way=in_the_way)
            except GraphError as error:
                log.warning("no preview", code=error.code, request=error.request_id)
                seen = views.unread(f"{error.sentence} {error.advice}")
            finally:  # before it is shown: the user may ask for the next at once
                self._busy.discard(user)
            await show(seen)

        async def make_or_report() -> None:
            if bug := await run_guarded("preview", make):
                broken = views.broken(bug, contact=self._contact)
                await run_guarded("preview", partial(show, broken))

        task = asyncio.create_task(make_or_report())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Let running previews end; slow ones are given up, as the view has said."""
        await let_end(self._tasks, seconds=REST_SECONDS)

    def _count(self, user: str) -> None:
        """Count one more preview. Raises Refusal if that is too many."""
        if user in self._busy:
            raise Refusal("Your last preview is still being made. It will appear on its own.")
        if sum(user == each for each in self._begun.values()) >= MOST_AN_HOUR:
            raise Refusal(
                f"You have had {MOST_AN_HOUR} previews within an hour, which is the most."
                " Try again later, or ask for approval: the approver sees the same."
            )
        if len(self._busy) >= AT_ONCE:
            raise Refusal("Many people are looking at previews just now. Try again in a moment.")
        self._begun[uuid4().hex] = user
        self._busy.add(user)

    async def _show(self, view_id: str, user: str, form: Form, seen: Seen) -> None:
        """Fill the view that waits for it, or send a direct message if that is closed."""
        try:
            try:
                await self._client.views_update(view_id=view_id, view=views.modal(seen))
            except SlackApiError as error:
                if code_of(error) != CLOSED:
                    raise
                text, blocks = views.message(seen, form)
                await self._client.chat_postMessage(
                    channel=user, text=text, blocks=blocks, unfurl_links=False, unfurl_media=False
                )
        except FAILED as error:
            log.warning("preview not shown", code=code_of(error))
