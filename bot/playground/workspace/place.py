"""What a simulated workspace is: its addresses and tokens, its people and channels."""

from collections.abc import Iterable
from typing import Any

from bot.playground.workspace.channels import Channel, Channels
from bot.playground.workspace.clicking import Clicking
from bot.playground.workspace.faults import Faults
from bot.playground.workspace.groups import Group, Groups
from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.notices import Notices
from bot.playground.workspace.people import People, Person
from bot.playground.workspace.rates import Rates
from bot.playground.workspace.sight import Sight, Where
from bot.playground.workspace.state import State
from bot.playground.workspace.submitting import Submitting
from bot.playground.workspace.talking import Talking
from bot.playground.workspace.wire import Json

Who = str | Person
"""A person, by name or id or as such."""


class Place:
    """Who and what is there, and the parts that act and look."""

    def __init__(self, state: State, hooks: Hooks) -> None:
        self._state = state
        self._sight = Sight(state)
        self._notices = Notices(state, self._sight)
        self._talking = Talking(state, self._sight, hooks)
        self._clicking = Clicking(state, self._sight, hooks)
        self._submitting = Submitting(state)

    @property
    def url(self) -> str:
        return self._state.url

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def installation(self) -> Installation:
        return self._state.installation

    @property
    def team_id(self) -> str:
        return self.installation.team_id

    @property
    def api_app_id(self) -> str:
        return self.installation.api_app_id

    @property
    def bot_user_id(self) -> str:
        return self.installation.bot_user_id

    @property
    def bot_token(self) -> str:
        return self.installation.bot_token

    @property
    def app_token(self) -> str:
        return self.installation.app_token

    @property
    def signing_secret(self) -> str:
        return self.installation.signing_secret

    @property
    def people(self) -> People:
        return self._state.people

    @property
    def channels(self) -> Channels:
        return self._state.channels

    @property
    def groups(self) -> Groups:
        return self._state.groups

    @property
    def faults(self) -> Faults:
        return self._state.faults

    @property
    def rates(self) -> Rates:
        """What was called how often; `rates.enforced = True` refuses what is too often."""
        return self._state.rates

    def to_json(self) -> Json:
        """Return what another program needs to take part: addresses, tokens, people, channels."""
        bot = self.bot_user_id
        return {
            "url": self.url,
            "api_url": self.api_url,
            "team_id": self.team_id,
            "api_app_id": self.api_app_id,
            "bot_user_id": bot,
            "bot_token": self.bot_token,
            "app_token": self.app_token,
            "signing_secret": self.signing_secret,
            "people": {person.name: person.id for person in self.people},
            "channels": {it.name: it.id for it in self.channels if it.name},
            "groups": {group.handle: group.id for group in self.groups},
        }

    # Who comes and goes

    def add_person(
        self, name: str, real_name: str, *, channels: Iterable[str] = ("general",), **flags: Any
    ) -> Person:
        """Add a member; flags are those of Person: is_restricted=True, tz="Asia/Tokyo"."""
        person = self.people.add(name, real_name, **flags)
        for channel in channels:
            self.channels[channel].members.add(person.id)
        return person

    def add_external(
        self, name: str, real_name: str, *, channels: Iterable[str] = ("partners",), **flags: Any
    ) -> Person:
        """Add a person of another company, who shares these channels; the channels are shared.

        Without any channel that the app is in, Slack calls such a person a stranger.
        """
        shared = [self.channels[channel] for channel in channels]
        met = any(self.bot_user_id in channel.members for channel in shared)
        person = self.people.add_external(name, real_name, **{"is_stranger": not met, **flags})
        for channel in shared:
            channel.members.add(person.id)
            channel.is_ext_shared = True
        return person

    def join_grid(self) -> str:
        """Make the workspace part of an organization on Enterprise Grid, whose id is returned."""
        enterprise_id = self._state.ids.new("E")
        self.installation.enterprise_id = enterprise_id
        for person in self.people:
            if not person.is_external:
                person.enterprise_id, person.teams = enterprise_id, (self.team_id,)
        return enterprise_id

    def add_from_grid(
        self, name: str, real_name: str, *, is_member: bool = True, **flags: Any
    ) -> Person:
        """Add a person whose home is another workspace of the organization.

        Members of ours, too, are in its channels; others only reach it by a shared one.
        """
        enterprise_id = self.installation.enterprise_id or self.join_grid()
        person = self.people.add_from_grid(
            name, real_name, enterprise_id=enterprise_id, is_member=is_member, **flags
        )
        self.channels["general"].members.add(person.id)
        return person

    def add_group(self, handle: str, *members: Who) -> Group:
        """Add a user group of these people."""
        return self.groups.add(handle, [self.people.find(member).id for member in members])

    def deactivate(self, person: Who) -> None:
        """Let a person leave the company: out of every channel and group, and Slack says so.

        For what a person clicks in the very moment, set `deleted` alone.
        """
        who = self.people.find(person)
        who.deleted = True
        who.active = False
        self._state.groups.leave(who.id)
        self._state.views.clear(who.id)
        for channel in self.channels:
            if not channel.im:
                channel.members.discard(who.id)
        self._state.changes.tell()

    def channel(self, where: Where) -> Channel:
        return self._sight.channel(where)
