"""Users of Slack: the claims of a payload, checked with Slack now, fail-closed.

Team id and user id identify a user; names never do. Doubt means no. A group that cannot be read
counts as empty, and a user who might be in it is told to try again.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from cachetools import TLRUCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.approval import Policy
from bot.domain.forms import JOINERS
from bot.domain.people import GUEST, Person, Refusal
from graph.clock import Clock
from handlers.slack.api_errors import FAILED, ErrorScope, code_of, meaning_of
from handlers.slack.rate_limits import LookupLimits

log = structlog.get_logger()

LOOK_UP_SECONDS = 1.0
"""Slack waits three seconds for a listener; a look-up may use one of them."""
REMEMBERED = timedelta(minutes=5)
"""Accounts and groups can change at any time: no answer is used after that, counted from the
question."""
MOST = 2000
"""Number of answers that are kept; the least recently used ones make room."""

NOT_FOUND = ("user_not_found", "user_not_visible")
"""Slack's errors for an account that this app cannot see: a later try does not change them.
docs.slack.dev/reference/methods/users.info"""

DOUBTS = {
    "deleted": "is deactivated",
    "is_bot": "is a bot",
    "is_restricted": GUEST,
    "is_ultra_restricted": GUEST,
    "is_stranger": "is from outside",
    "is_invited_user": "is only invited",
}
"""docs.slack.dev/reference/objects/user-object"""
KEPT = (*DOUBTS, "team_id", "enterprise_user", "name", "real_name")
"""The fields of an account that are used: no address, no picture."""
SLACKBOT = "USLACKBOT"  # says is_bot: false of itself


class UserNotFound(Refusal):
    """Slack knows no user of this id, or hides them from the app."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The bot's identity in Slack, as Slack says."""

    team_id: str
    enterprise_id: str | None
    """The organization on Enterprise Grid that the workspace belongs to, if it does."""
    app_id: str
    bot_id: str
    bot_user_id: str


@dataclass(eq=False, repr=False)
class Users:
    """Looks people up in the team the bot is installed in."""

    client: AsyncWebClient
    installed: Installed
    policy: Policy
    clock: Clock
    lookup_limits: LookupLimits
    """Some look-ups are reserved for approvers."""

    def __post_init__(self) -> None:
        self._answers: TLRUCache[str, tuple[datetime, Any], datetime] = TLRUCache(
            MOST, lambda _, answer, __: answer[0] + REMEMBERED, timer=self.clock.now
        )
        """The time of the question and the answer, by the id of an account or group."""

    async def person(self, body: Mapping[str, Any]) -> Person:
        """Return who sent this payload. Raises Refusal if that cannot be told."""
        self.check_is_ours(body)
        user_id, team_id = _sender(body)
        seen: Mapping[str, Any] | None = None
        if not await self._may_look_up(user_id):
            seen = self._remembered(user_id)
            log.warning(
                "person not looked up: too often", user=user_id, remembered=seen is not None
            )
            if seen is None:
                raise Refusal("Slack is asked too often who people are. Try again in a minute.")
        return await self._known(user_id, claimed_team=team_id, seen=seen)

    def check_is_ours(self, body: Mapping[str, Any]) -> None:
        """Raise Refusal for a payload of another workspace or app. This needs no look-up."""
        if team_of(body) != self.installed.team_id:
            raise Refusal("This came from another Slack team, so it was ignored.")
        if body.get("api_app_id") != self.installed.app_id:
            raise Refusal("This was sent to another Slack app, so it was ignored.")

    async def _may_look_up(self, user_id: str) -> bool:
        if self.lookup_limits.take(user_id):
            return True
        is_approver = user_id in self.policy.approvers
        if not is_approver and self.policy.approver_groups:
            groups, _ = await self._groups_of(user_id)
            is_approver = bool(groups & self.policy.approver_groups)
        return is_approver and self.lookup_limits.take(user_id, is_approver=True)

    async def _groups_of(self, user_id: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the groups that this person belongs to, and those that could not be read."""
        ids = sorted(self.policy.groups)
        found = await asyncio.gather(*(self._members(id) for id in ids))
        members = dict(zip(ids, found, strict=True))
        inside = (id for id, people in members.items() if people is not None and user_id in people)
        unread = (id for id, people in members.items() if people is None)
        return frozenset(inside), frozenset(unread)

    async def mentioned(self, text: str) -> Person:
        """Return the user that was named as `@person`. Raises Refusal."""
        found = re.fullmatch(r"<@([UW][A-Z0-9]+)(\|[^>]*)?>", text)
        if found is None:
            raise Refusal("Who should take it over? Type @ and pick the person.")
        try:
            return await self.look_up(found[1])
        except UserNotFound:
            raise Refusal(
                "Slack does not show this account to the bot. Choose someone else."
            ) from None
        except Refusal:
            raise Refusal(
                "Slack did not say who that is, so nothing was done. Try again in a moment."
            ) from None

    async def look_up(self, user_id: str) -> Person:
        """Return who this is now. Raises Refusal if Slack does not say."""
        return await self._known(user_id, claimed_team=self.installed.team_id)

    async def look_up_all(self, user_ids: Iterable[str]) -> tuple[Person, ...]:
        """Return who these are now, all looked up at once, without those of whom Slack says
        nothing within a second. An account that is not there any more is in doubt.
        """
        found = await asyncio.gather(*(self._if_known(id) for id in user_ids))
        return tuple(person for person in found if person is not None)

    async def _if_known(self, user_id: str) -> Person | None:
        try:
            return await self.look_up(user_id)
        except UserNotFound:
            return Person(
                team_id=self.installed.team_id, user_id=user_id, doubts=("is not there any more",)
            )
        except Refusal:
            return None

    async def has_left(self, user_id: str) -> bool:
        """Whether Slack says that this account is deactivated or gone. Without an answer it is
        not.
        """
        try:
            return bool((await self._look_up(user_id)).get("deleted"))
        except UserNotFound:
            return True
        except Refusal:
            return False

    async def _known(
        self, user_id: str, *, claimed_team: str, seen: Mapping[str, Any] | None = None
    ) -> Person:
        async def record() -> Mapping[str, Any]:
            return seen or await self._look_up(user_id)

        user, (groups, unread) = await asyncio.gather(record(), self._groups_of(user_id))
        ours = self.installed.team_id
        return Person(
            # Slack's record counts; a payload that says otherwise is a reason for doubt.
            team_id=ours if ours in _teams_of(user) else _home_of(user),
            user_id=user_id,
            name=_name_of(user) or user_id,
            doubts=doubts_of(user_id, user, team_id=claimed_team),
            groups=groups,
            unread=unread,
        )

    async def _look_up(self, user_id: str) -> Mapping[str, Any]:
        """Return Slack's record of this account; while Slack is asked too often, the cached one.
        Any other error may be about the account itself, so it is a no.
        """
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                asked_at = self.clock.now()
                answer = await self.client.users_info(user=user_id)
        except FAILED as error:
            is_too_often = meaning_of(error) is ErrorScope.TOO_OFTEN
            seen: Mapping[str, Any] | None = self._remembered(user_id) if is_too_often else None
            log.warning(
                "person not looked up",
                user=user_id,
                type=type(error).__name__,
                remembered=seen is not None,
            )
            if seen is not None:
                return seen
            refusal = UserNotFound if code_of(error) in NOT_FOUND else Refusal
            raise refusal(
                "Slack did not say who you are, so nothing was done. Try again in a moment."
            ) from None
        user = {name: answer["user"].get(name) for name in KEPT}
        self._answers[user_id] = asked_at, user
        return user

    async def _members(self, group: str) -> frozenset[str] | None:
        """Return the members of a group, or None if Slack does not say."""
        known: frozenset[str] | None = self._remembered(group)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                asked_at = self.clock.now()
                answer = await self.client.usergroups_users_list(usergroup=group)
        except FAILED as error:
            log.warning("user group not read", group=group, type=type(error).__name__)
            return None
        members = frozenset(map(str, answer["users"]))
        self._answers[group] = asked_at, members
        return members

    def _remembered(self, id: str) -> Any:
        """Return Slack's latest answer on an account or group, or None."""
        _, answer = self._answers.get(id, (None, None))
        return answer


def _sender(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return user id and team id of the sender of a command, a click, a form or an event."""
    if "event" in body:
        event = body["event"]
        team = event.get("user_team") or event.get("team") or body.get("team_id")
        return str(event.get("user") or ""), str(team or "")
    if user := body.get("user"):
        return str(user.get("id") or ""), str(user.get("team_id") or team_of(body))
    return str(body.get("user_id") or ""), str(body.get("team_id") or "")


def team_of(body: Mapping[str, Any]) -> str:
    """Return the team that a payload was sent for."""
    return str(body.get("team_id") or (body.get("team") or {}).get("id") or "")


def _home_of(user: Mapping[str, Any]) -> str:
    """Return the team of Slack's record, which on Enterprise Grid may be another or missing."""
    return str(user.get("team_id") or "")


def _teams_of(user: Mapping[str, Any]) -> frozenset[str]:
    """Return the teams that Slack says this account is a member of: on Enterprise Grid several."""
    listed = _grid(user).get("teams")
    more = listed if isinstance(listed, list) else ()
    return frozenset(str(team) for team in (_home_of(user), *more) if team)


def _grid(user: Mapping[str, Any]) -> Mapping[str, Any]:
    """docs.slack.dev/reference/objects/user-object"""
    found = user.get("enterprise_user")
    return found if isinstance(found, Mapping) else {}


def _name_of(user: Mapping[str, Any]) -> str:
    """Return how people call this account, as one line without anything that reorders it."""
    said = str(user.get("real_name") or user.get("name") or "")
    seen = "".join(each if each.isprintable() or each in JOINERS else " " for each in said)
    return " ".join(seen.split())[:120]


def doubts_of(user_id: str, user: Mapping[str, Any], *, team_id: str) -> tuple[str, ...]:
    """Return the doubts about an account, by Slack's record of it, where it claims to be of this
    team.
    """
    doubts = [word for flag, word in DOUBTS.items() if user.get(flag)]
    if user_id == SLACKBOT:
        doubts.append("is a bot")
    if team_id not in {*_teams_of(user), _grid(user).get("enterprise_id")}:
        doubts.append("is from outside")
    return tuple(dict.fromkeys(doubts))
