"""User groups: who is in those that the settings name, as Slack said within five minutes.

A group that cannot be read counts as empty, and a user who might be in it is told to try again.
"""

import asyncio
from collections.abc import Iterable

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from graph.clock import Clock
from handlers.slack.ttl_cache import TtlCache, recent

log = structlog.get_logger()

LOOK_UP_SECONDS = 1.0
"""Slack waits three seconds for a listener; a look-up may use one of them."""


class UserGroups:
    """Remembers members of user groups."""

    def __init__(self, client: AsyncWebClient, clock: Clock, ids: Iterable[str]) -> None:
        """Take the ids of the groups to know."""
        self._client = client
        self._clock = clock
        self._ids = tuple(sorted(ids))
        self._known: TtlCache[frozenset[str]] = recent(clock)

    async def of(self, user_id: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the groups that this person belongs to, and those that could not be read."""
        found = await asyncio.gather(*(self._members(id) for id in self._ids))
        members = dict(zip(self._ids, found, strict=True))
        inside = (id for id, people in members.items() if people is not None and user_id in people)
        unread = (id for id, people in members.items() if people is None)
        return frozenset(inside), frozenset(unread)

    async def _members(self, id: str) -> frozenset[str] | None:
        """Return who is in the group, or None if Slack does not say."""
        known = self._known.get(id)
        if known is not None:
            return known[1]
        now = self._clock.now()
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                answer = await self._client.usergroups_users_list(usergroup=id)
        except (SlackApiError, TimeoutError, aiohttp.ClientError) as error:
            log.warning("user group not read", group=id, type=type(error).__name__)
            return None
        people = frozenset(str(user) for user in answer["users"])
        self._known[id] = now, people
        return people
