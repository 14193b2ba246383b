"""A simulated Slack workspace, as a test or the demo holds it: people act, and one looks.

Apps talk to it over HTTP and a websocket, as they do to Slack; nothing here is for apps.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeVar

from bot.playground.workspace.channels import Channel, Channels
from bot.playground.workspace.clicking import Clicking
from bot.playground.workspace.faults import Faults
from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.people import Group, People, Person
from bot.playground.workspace.record import Entry, Kind
from bot.playground.workspace.results import Clicked, Reply, Submitted
from bot.playground.workspace.sight import Sight, Where
from bot.playground.workspace.signed_http import SignedHttp
from bot.playground.workspace.state import State
from bot.playground.workspace.submitting import Submitting
from bot.playground.workspace.talking import Talking
from bot.playground.workspace.wire import CannotAct, Json

T = TypeVar("T")
Who = str | Person
"""A person, by name or id or as such."""


class Workspace:
    """The workspace. Acting raises CannotAct for what a Slack client would not let one do."""

    def __init__(self, state: State, hooks: Hooks) -> None:
        self._state = state
        self._sight = Sight(state)
        self._talking = Talking(state, self._sight, hooks)
        self._clicking = Clicking(state, self._sight, hooks)
        self._submitting = Submitting(state, self._clicking)

    # What it is

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
    def groups(self) -> dict[str, Group]:
        return self._state.groups

    @property
    def faults(self) -> Faults:
        return self._state.faults

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
            "groups": {group.handle: group.id for group in self.groups.values()},
        }

    # What people do

    async def command(
        self,
        person: Who,
        text: str = "",
        *,
        command: str = "/aad-setup",
        channel: Where = "general",
    ) -> Reply:
        """Type a slash command and return what it showed by the time the app acknowledged it."""
        who = self.people.find(person)
        return await self._talking.command(who, text, command=command, where=channel)

    async def mention(
        self, person: Who, text: str, *, channel: Where = "general", thread: Json | None = None
    ) -> Json:
        """Write `@aad-setup text` in a channel, or below a message, and return what was written."""
        thread_ts = (thread.get("thread_ts") or thread["ts"]) if thread else None
        who = self.people.find(person)
        return (await self._talking.mention(who, text, channel, thread_ts)).seen()

    async def message_im(self, person: Who, text: str) -> Json:
        """Write to the app in direct messages and return what was written."""
        return (await self._talking.message_im(self.people.find(person), text)).seen()

    async def open_home(self, person: Who) -> Json | None:
        """Open the app's Home tab and return the home view, if there is one by then."""
        return deepcopy(await self._talking.open_home(self.people.find(person)))

    async def click(self, person: Who, label: str, *, on: Json | None = None) -> Clicked:
        """Click a button by its label or action_id: in `on`, or wherever it is seen first.

        First comes the modal in front, then messages and ephemerals from the newest, then the home.
        """
        return await self._clicking.click(self.people.find(person), label, on)

    async def choose(
        self, person: Who, label: str, value: object, *, on: Json | None = None
    ) -> Clicked:
        """Choose from a menu or fill in one field, which tells the app if it is dispatched."""
        return await self._clicking.choose(self.people.find(person), label, value, on)

    async def submit(self, person: Who, values: dict[str, Any] | None = None) -> Submitted:
        """Fill in the view in front (by label, block_id or action_id) and submit it.

        Choices are named by their visible text (a list of them for checkboxes), people by name.
        """
        return await self._submitting.submit(self.people.find(person), values or {})

    def fill(self, person: Who, values: dict[str, Any]) -> Json:
        """Fill in the view in front without submitting it."""
        return deepcopy(self._submitting.fill(self.people.find(person), values))

    async def close_view(self, person: Who) -> None:
        await self._submitting.close(self.people.find(person))

    def reload(self, person: Who) -> None:
        """Reload this person's Slack: ephemeral messages and open modals are gone."""
        who = self.people.find(person)
        for message in self._sight.ephemerals(who):
            self._state.ephemerals.remove(message)
        self._state.views.clear(who.id)

    # What one sees

    def messages(self, where: Where) -> list[Json]:
        """Return the messages of a channel, or of a person's direct messages with the app."""
        return [it.seen() for it in self._sight.messages(self._sight.channel(where))]

    def replies(self, message: Json) -> list[Json]:
        """Return the messages in a message's thread."""
        thread = message.get("thread_ts") or message["ts"]
        return [it for it in self.messages(message["channel"]) if it.get("thread_ts") == thread]

    def ephemerals(self, person: Who, channel: Where | None = None) -> list[Json]:
        """Return the ephemeral messages on this person's screen."""
        id = self._sight.channel(channel).id if channel else None
        mine = self._sight.ephemerals(self.people.find(person))
        return [it.seen() for it in mine if id in (None, it.channel)]

    def view_of(self, person: Who) -> Json | None:
        """Return the modal in front of this person."""
        return deepcopy(self._state.views.top(self.people.find(person).id))

    def home_of(self, person: Who) -> Json | None:
        return deepcopy(self._state.views.home(self.people.find(person).id))

    def text_of(self, item: Json) -> str:
        """Return a message or view as a person reads it."""
        return self._sight.text_of(item)

    def picture(self) -> str:
        """Return everything on everybody's screen as text."""
        return self._sight.picture()

    # What happened, and what shall

    @property
    def log(self) -> list[Entry]:
        return self._state.record.entries

    @property
    def complaints(self) -> list[Entry]:
        """What the app got wrong and no answer could tell it."""
        return self._state.record.of(Kind.COMPLAINT)

    @property
    def unacked(self) -> list[Json]:
        """Envelopes that nobody acknowledged in time."""
        return self._state.sockets.unacked

    @property
    def connections(self) -> int:
        return self._state.sockets.connected

    def calls(self, method: str) -> list[Entry]:
        """Return the calls of one Web API method."""
        return [entry for entry in self._state.record.of(Kind.CALL) if entry.what == method]

    def versions(self, message: Json) -> list[Json]:
        """Return every content that a message has had."""
        found = self._state.messages.by_ts(message["ts"]) or self._state.ephemerals.by_ts(
            message["ts"]
        )
        return deepcopy(found.versions) if found else []

    async def until(self, predicate: Callable[[], T], timeout: float = 10.0) -> T:  # noqa: ASYNC109 - it tells more
        """Wait for a predicate and return its value; it is asked again at every change here.

        What changes elsewhere (a clock, the app's database) is not noticed: call `changed()` then.
        Raises NeverHappened with a picture of the workspace after `timeout` real seconds.
        """
        changes = self._state.changes
        return await changes.until(predicate, seconds=timeout, picture=self.picture)

    def changed(self) -> None:
        """Ask everybody who waits to look again."""
        self._state.changes.tell()

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Refresh every socket, as Slack does every few hours."""
        await self._state.sockets.disconnect(reason)

    async def drop_connections(self) -> None:
        """Break every socket without a word."""
        await self._state.sockets.drop()

    async def redeliver(self) -> None:
        """Tell the app of the latest event, click or command once more, as Slack sometimes does."""
        latest = [it.sent for it in self._state.record.of(Kind.DELIVERY) if "payload" in it.sent]
        if not latest:
            raise CannotAct("Nothing has been delivered yet.")
        await self._state.delivery.deliver(latest[-1]["type"], latest[-1]["payload"])

    def deliver_to(self, url: str) -> None:
        """Tell the app by signed requests to this URL instead of a socket."""
        self._state.delivery = SignedHttp(
            url=url, signing_secret=self.signing_secret, record=self._state.record
        )

    def add_person(
        self, name: str, real_name: str, *, channels: Iterable[str] = ("general",), **flags: bool
    ) -> Person:
        """Add a member; flags are those of Person: is_restricted=True and the like."""
        person = self.people.add(name, real_name, **flags)
        for channel in channels:
            self.channels[channel].members.add(person.id)
        return person

    def channel(self, where: Where) -> Channel:
        return self._sight.channel(where)
