"""What people see in a simulated workspace, and what happened there."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

from bot.playground.workspace.messages import Message
from bot.playground.workspace.notices import Notification
from bot.playground.workspace.place import Place, Who
from bot.playground.workspace.record import Entry, Kind
from bot.playground.workspace.sight import Where
from bot.playground.workspace.wire import Json

T = TypeVar("T")


class Looking(Place):
    """Everything that is on a person's screen or in the log."""

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

    def text_of(self, item: Json, *, reader: Who | None = None) -> str:
        """Return a message or view as a person reads it.

        With a reader, dates stand in that person's time zone; without one, as their fallbacks.
        """
        return self._sight.text_of(item, self.people.find(reader) if reader else None)

    def notifications(self, person: Who) -> list[Notification]:
        """Return what popped up on a person's phone, the oldest first."""
        return self._notices.notifications(self.people.find(person))

    def notification(self, person: Who, message: Message) -> Notification | None:
        """Return what popped up for one of `visible`, if anything did."""
        return self._notices.notification(self.people.find(person), message)

    def visible(self, person: Who) -> list[Message]:
        """Return every message that a person sees as the workspace holds it, newest first."""
        return self._sight.visible(self.people.find(person))

    def depth_of(self, person: Who) -> int:
        """Return how many modals are stacked in front of this person."""
        return self._state.views.depth(self.people.find(person).id)

    def picture(self) -> str:
        """Return everything on everybody's screen as text."""
        return self._sight.picture()

    # What happened

    @property
    def log(self) -> list[Entry]:
        return self._state.record.entries

    @property
    def complaints(self) -> list[Entry]:
        """What the app got wrong and no answer could tell it."""
        return self._state.record.of(Kind.COMPLAINT)

    @property
    def unacked(self) -> list[Json]:
        """Envelopes that were not acknowledged in time."""
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

    async def until(self, predicate: Callable[[], T], timeout: float = 30.0) -> T:  # noqa: ASYNC109 - it tells more
        """Wait for a predicate and return its value; it is asked again at every change here.

        What changes elsewhere (a clock, the app's database) is not noticed: call `changed()` then.
        Raises NeverHappened with a picture of the workspace after `timeout` real seconds.
        """
        changes = self._state.changes
        return await changes.until(predicate, seconds=timeout, picture=self.picture)

    @property
    def next_change(self) -> asyncio.Event:
        """The event that the next change sets. Take it before looking."""
        return self._state.changes.next

    def changed(self) -> None:
        """Ask everybody who waits to look again."""
        self._state.changes.tell()
