"""What people are notified of.

A notification shows a message's `text`, not its blocks, as it was first posted: an update notifies
no user (docs.slack.dev/messaging). Ephemeral messages count as notifications: whether Slack shows
their text is not documented, so assume that it does.
"""

import json
from dataclasses import dataclass

from bot.playground.workspace.channels import Channel
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.sight import Sight
from bot.playground.workspace.state import State

NOTHING_TO_SHOW = "This content can't be displayed."
"""What Slack's clients say of a message that has blocks and no text."""
EVERYBODY = ("<!here>", "<!channel>", "<!everyone>")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """What pops up on a person's phone."""

    channel: str
    ts: str
    text: str
    is_ephemeral: bool = False


class Notices:
    """Looks at messages as a person's phone does."""

    def __init__(self, state: State, sight: Sight) -> None:
        self._state = state
        self._sight = sight

    def notifications(self, person: Person) -> list[Notification]:
        """Return every notification that a person got, the oldest first."""
        kept = [it for it in self._for(person) if self._notifies(person, it)]
        both = [*kept, *self._sight.ephemerals(person)]
        return [self._shown(person, it) for it in sorted(both, key=lambda it: it.ts)]

    def notification(self, person: Person, message: Message) -> Notification | None:
        """Return what popped up for one message before a person's eyes, if anything did."""
        if message.author == person.id:
            return None
        notifies = message.only_for is not None or self._notifies(person, message)
        return self._shown(person, message) if notifies else None

    def _for(self, person: Person) -> list[Message]:
        """Return what others wrote where this person is, the oldest first."""
        mine = {it.id for it in self._state.channels if person.id in it.members}
        return [
            message
            for message in self._state.messages.all()
            if message.channel in mine and message.author != person.id
        ]

    def _notifies(self, person: Person, message: Message) -> bool:
        channel: Channel = self._state.channels[message.channel]
        if channel.im or self._follows(person, message):
            return True
        said = json.dumps(message.versions[0], ensure_ascii=False)
        groups = [group.id for group in self._state.groups if person.id in group.members]
        marks = [f"<@{person.id}", *(f"<!subteam^{id}" for id in groups), *EVERYBODY]
        return any(mark in said for mark in marks)

    def _follows(self, person: Person, message: Message) -> bool:
        """One follows the threads that one has written in."""
        if message.thread_ts is None:
            return False
        thread = [
            it
            for it in self._state.messages.all()
            if message.thread_ts in (it.ts, it.thread_ts) and it.ts < message.ts
        ]
        return any(it.author == person.id for it in thread)

    def _shown(self, person: Person, message: Message) -> Notification:
        text = message.versions[0]["text"]
        return Notification(
            channel=message.channel,
            ts=message.ts,
            text=self._sight.words(text, person) if text else NOTHING_TO_SHOW,
            is_ephemeral=message.only_for is not None,
        )
