"""All that the workspace holds, in one place that methods, people and tests share."""

from random import Random
from typing import Protocol

from bot.playground.workspace.changes import Changes
from bot.playground.workspace.channels import Channel, Channels
from bot.playground.workspace.faults import Faults
from bot.playground.workspace.groups import Groups
from bot.playground.workspace.ids import Ids
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.messages import Content, Message, Messages
from bot.playground.workspace.people import People
from bot.playground.workspace.rates import Rates
from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.sockets import Sockets
from bot.playground.workspace.tasks import Tasks
from bot.playground.workspace.triggers import Triggers
from bot.playground.workspace.views import Views
from bot.playground.workspace.wire import Ack, Json
from graph.clock import Clock


class Delivery(Protocol):
    """How the app is told: over a socket, or by a signed request."""

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        """Tell the app and return how it took it; `answerable` if its ack may carry an answer."""


class State:
    """People, channels, messages, views, and what is under way between Slack and the app."""

    def __init__(self, *, clock: Clock, seed: int, url: str) -> None:
        rng = Random(seed)  # noqa: S311 - repeatable on purpose; guards nothing
        self.url = url
        self.clock = clock
        self.ids = Ids(rng)
        self.changes = Changes()
        self.record = Record(clock, self.changes.tell)
        self.tasks = Tasks()
        self.faults = Faults()
        self.rates = Rates()
        self.installation = Installation.new(self.ids)
        self.people = People(self.ids, self.installation.team_id)
        self.groups = Groups(self.ids)
        self.channels = Channels(self.ids)
        self.messages = Messages(self.record, Kind.MESSAGE)
        self.ephemerals = Messages(self.record, Kind.EPHEMERAL)
        self.views = Views(self.installation, self.ids, self.record)
        self.triggers = Triggers(self.ids, clock)
        self.home_tabs: dict[str, str] = {}
        """Who has the app open, and which of its tabs: home or messages."""
        self.sockets = Sockets(
            installation=self.installation,
            ids=self.ids,
            rng=rng,
            record=self.record,
            clock=clock,
            tasks=self.tasks,
        )
        self.delivery: Delivery = self.sockets

    def stamp(self) -> str:
        return self.ids.stamp(self.clock.now())

    def post(self, channel: Channel, content: Content, thread_ts: str | None = None) -> Message:
        """Let the app post a message that everybody in the channel sees."""
        return self.messages.post(self._by_app(channel, content, thread_ts, None))

    def whisper(
        self, channel: Channel, person: str, content: Content, thread_ts: str | None = None
    ) -> Message:
        """Let the app post an ephemeral message, which only reaches a person who is there."""
        message = self._by_app(channel, content, thread_ts, person)
        reader = self.people.by_id(person)
        return self.ephemerals.post(message) if reader and reader.active else message

    def say(self, channel: Channel, person: str, text: str, thread_ts: str | None) -> Message:
        """Let a person write a message."""
        content = Content(text=text)
        message = Message(
            ts=self.stamp(),
            channel=channel.id,
            author=person,
            content=content,
            thread_ts=thread_ts,
        )
        return self.messages.post(message)

    def _by_app(
        self, channel: Channel, content: Content, thread_ts: str | None, only_for: str | None
    ) -> Message:
        return Message(
            ts=self.stamp(),
            channel=channel.id,
            author=self.installation.bot_user_id,
            bot_id=self.installation.bot_id,
            content=content,
            thread_ts=thread_ts,
            only_for=only_for,
        )
