"""Messages: those that Slack keeps, and ephemeral ones, which live apart and can only be looked at.

No Web API method finds an ephemeral message: docs.slack.dev/messaging/modifying-messages.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.wire import Json, copied


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a message says. `blocks` are shown; `text` feeds notifications."""

    text: str = ""
    blocks: tuple[Json, ...] = ()
    metadata: Json | None = None

    def to_json(self) -> Json:
        body: Json = {"text": self.text}
        if self.blocks:
            body["blocks"] = copied(list(self.blocks))
        if self.metadata:
            body["metadata"] = copied(self.metadata)
        return body


@dataclass(kw_only=True)
class Message:
    """One message in a conversation. `only_for` names the one person who sees an ephemeral one."""

    ts: str
    channel: str
    author: str
    content: Content
    bot_id: str | None = None
    thread_ts: str | None = None
    edited_ts: str | None = None
    only_for: str | None = None
    versions: list[Json] = field(default_factory=list)

    def to_json(self) -> Json:
        body = {"type": "message", "user": self.author, "ts": self.ts, **self.content.to_json()}
        if self.bot_id:
            body["bot_id"] = self.bot_id
        if self.thread_ts:
            body["thread_ts"] = self.thread_ts
        if self.edited_ts:
            body["edited"] = {"user": self.author, "ts": self.edited_ts}
        return body

    def seen(self) -> Json:
        """As the people API hands it out: with its channel, which history leaves out."""
        ephemeral = {"is_ephemeral": True} if self.only_for else {}
        return {**self.to_json(), "channel": self.channel, **ephemeral}


Listener = Callable[[Message, str, Json | None], None]
"""Hears of a message, what became of it, and what it was before."""
POSTED, CHANGED, DELETED = "posted", "message_changed", "message_deleted"


class Messages:
    """A shelf of messages by `ts`, oldest first; each version is written to the log."""

    def __init__(self, record: Record, kind: Kind) -> None:
        self.listeners: list[Listener] = []
        self._record = record
        self._kind = kind
        self._by_ts: dict[str, Message] = {}

    def post(self, message: Message) -> Message:
        self._by_ts[message.ts] = message
        self._write(message)
        self._tell(message, POSTED)
        return message

    def change(self, message: Message, content: Content, edited_ts: str) -> None:
        before = message.to_json()
        message.content = content
        message.edited_ts = edited_ts
        self._write(message)
        self._tell(message, CHANGED, before)

    def remove(self, message: Message) -> None:
        del self._by_ts[message.ts]
        self._record.add(self._kind, message.ts, {"channel": message.channel, "deleted": True})
        self._tell(message, DELETED, message.to_json())

    def find(self, channel: object, ts: object) -> Message | None:
        message = self._by_ts.get(ts) if isinstance(ts, str) else None
        return message if message and message.channel == channel else None

    def by_ts(self, ts: str) -> Message | None:
        return self._by_ts.get(ts)

    def all(self) -> list[Message]:
        return list(self._by_ts.values())

    def _tell(self, message: Message, what: str, before: Json | None = None) -> None:
        for listener in self.listeners:
            listener(message, what, before)

    def _write(self, message: Message) -> None:
        message.versions.append(message.content.to_json())
        self._record.add(self._kind, message.ts, message.seen())
