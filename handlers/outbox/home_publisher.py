"""The App Home: published when a user opens it, and again after changes.

Only Homes that count as open are updated: Slack says when one is opened, and never when it is
closed. A user's Home is drawn once in a few seconds at most, but at once after their own click.
Open Homes are kept in memory only; the next opening restores the entry.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person, Refusal
from bot.registrar import Registrar
from bot.registrar.queries import Part
from bot.services import Services
from bot.storage.queries import Mark
from bot.worker.loops import Loop, run_guarded
from handlers.slack.api_errors import FAILED, retry_after
from handlers.slack.users import team_of
from handlers.views import home as views
from handlers.views.ui import Json, sentence_home

Look = Callable[[Mapping[str, Any]], Awaitable[Person]]
"""Look up a user from the claims of a payload."""

log = structlog.get_logger()

SPACING = timedelta(seconds=3)
IN_DOUBT = timedelta(minutes=1)
"""Pause before the next look-up of a user whom Slack did not confirm, and after a bug."""
OPEN_FOR = timedelta(minutes=30)
"""How long a Home counts as open after its user was last seen there."""
MOST_OPEN = 100
AT_ONCE = 10


@dataclass(kw_only=True)
class Visit:
    """A user who has the Home open: their claims, and the pages that they see."""

    claim: Mapping[str, Any]
    pages: dict[Part, int] = field(default_factory=dict)
    said: str = ""
    mark: Mark | None = None  # how far storage was when it was drawn
    seen_at: datetime
    not_before: datetime
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class HomePublisher:
    """Publishes Homes."""

    def __init__(
        self,
        services: Services,
        registrar: Registrar,
        *,
        client: AsyncWebClient,
        look_up: Look,
        every: float,
    ) -> None:
        self._registrar = registrar
        self._client = client
        self._look_up = look_up
        self._clock = services.clock
        self._visits: dict[str, Visit] = {}
        self.loop = Loop("homes", self.look, wakeup=services.wakeups.home_publisher, every=every)

    @property
    def watched(self) -> frozenset[str]:
        """The ids of those whose Home is kept up to date."""
        return frozenset(self._visits)

    async def open(self, body: Json, user: str, *, said: str = "") -> None:
        """Publish the Home of a user who opens it, from its first pages."""
        visit = self._visit(body, user)
        visit.pages, visit.said = {}, said
        await self._publish(user, visit)

    async def turn(self, body: Json, user: str, part: Part, page: int) -> None:
        """Publish the Home with another page of a part."""
        visit = self._visit(body, user)
        visit.pages[part], visit.said = page, ""
        await self._publish(user, visit)

    async def say(self, body: Json, user: str, sentence: str) -> None:
        """Publish the Home with a sentence on top: why a click there did nothing."""
        visit = self._visit(body, user)
        visit.said = sentence
        await self._publish(user, visit)

    async def close(self, body: Json, user: str, words: str) -> None:
        """Publish only a sentence for now: the user is not confirmed."""
        visit = self._visit(body, user)
        async with visit.turn:
            visit.mark, visit.not_before = None, self._clock.now() + IN_DOUBT
            await self._client.views_publish(user_id=user, view=sentence_home(words))

    def clicked(self, body: Json, user: str) -> None:
        """Let the Home be drawn as soon as the click has changed something."""
        visit = self._visit(body, user)
        visit.said, visit.not_before = "", self._clock.now()

    async def look(self) -> None:
        """Publish every open Home that is older than storage."""
        now = self._clock.now()
        for user in [it for it, visit in self._visits.items() if visit.seen_at < now - OPEN_FOR]:
            del self._visits[user]
        if not self._visits:
            return
        mark = await self._registrar.queries.mark()
        due = [
            (user, visit)
            for user, visit in self._visits.items()
            if visit.mark != mark and visit.not_before <= now
        ]
        await asyncio.gather(*(self._redraw_or_rest(*each) for each in due[:AT_ONCE]))
        if len(due) > AT_ONCE:
            self.loop.wakeup.set()

    async def _redraw_or_rest(self, user: str, visit: Visit) -> None:
        """Leave a Home alone for a while after a bug, which would come again at the next look."""
        if await run_guarded("home", partial(self._redraw, user, visit)):
            visit.not_before = self._clock.now() + IN_DOUBT

    async def _redraw(self, user: str, visit: Visit) -> None:
        try:
            await self._publish(user, visit)
        except FAILED as error:
            visit.not_before = self._clock.now() + max(SPACING, retry_after(error))
            log.warning("home not drawn", type=type(error).__name__)

    async def _publish(self, user: str, visit: Visit) -> None:
        # One after another, or the older of two drawings could be the last to arrive.
        async with visit.turn:
            visit.not_before = self._clock.now() + SPACING
            mark, view = await self._drawn(user, visit)
            await self._client.views_publish(user_id=user, view=view)
            visit.mark = mark

    async def _drawn(self, user: str, visit: Visit) -> tuple[Mark | None, Json]:
        """Return the mark of storage, and the view for this user by their rights now."""
        try:
            person = await self._look_up(visit.claim)
        except Refusal as refusal:  # Slack does not confirm the user: it may in a while
            visit.not_before = self._clock.now() + IN_DOUBT
            return None, sentence_home(str(refusal))
        try:
            found = await self._registrar.queries.home(visit.pages, by=person)
        except Refusal as refusal:
            self._visits.pop(user, None)
            return None, sentence_home(str(refusal))
        visit.pages = dict(found.pages)
        catalogue, quorum_of = self._registrar.catalogue, self._registrar.quorum
        return found.mark, views.home(found, catalogue, quorum_of=quorum_of, said=visit.said)

    def _visit(self, body: Json, user: str) -> Visit:
        """Return the visit of a user who is there now; the oldest visits make room for it."""
        now = self._clock.now()
        visit = self._visits.pop(user, None)
        if visit is None:
            visit = Visit(claim=_claim(body, user), seen_at=now, not_before=now)
        visit.seen_at = now
        self._visits[user] = visit  # at the end of the line
        while len(self._visits) > MOST_OPEN:
            del self._visits[next(iter(self._visits))]
        return visit


def is_home(body: Mapping[str, Any]) -> bool:
    """Whether a payload comes from an App Home, where no response_url comes along."""
    view = body.get("view")
    return isinstance(view, dict) and view.get("type") == "home"


def _claim(body: Mapping[str, Any], user: str) -> Mapping[str, Any]:
    """Return only the fields of a payload that identify the sender."""
    return {"user_id": user, "team_id": team_of(body), "api_app_id": body.get("api_app_id")}
