"""Conversations: public and private channels, and direct messages with the bot."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import CannotAct, Json


@dataclass(kw_only=True)
class Channel:
    """A conversation. Its members are user ids, the bot's among them if it was invited."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    private: bool = False
    im: bool = False
    is_ext_shared: bool = False
    archived: bool = False

    @property
    def kind(self) -> str:
        """The `channel_type` of events."""
        if self.im:
            return "im"
        return "group" if self.private else "channel"

    @property
    def payload_name(self) -> str:
        """What a payload calls it: docs.slack.dev/interactivity/implementing-slash-commands."""
        if self.im:
            return "directmessage"
        return "privategroup" if self.private else self.name

    @property
    def read_scope(self) -> str:
        if self.im:
            return "im:read"
        return "groups:read" if self.private else "channels:read"

    def to_json(self, bot: str) -> Json:
        if self.im:
            others = sorted(self.members - {bot})
            return {"id": self.id, "is_im": True, "user": (others or [bot])[0]}
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_member": bot in self.members,
            "is_ext_shared": self.is_ext_shared,
            "is_shared": self.is_ext_shared,
        }


class Channels:
    """Every conversation, by name or id."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._by_id: dict[str, Channel] = {}

    def add(self, name: str, members: set[str], *, private: bool = False) -> Channel:
        return self._keep(
            Channel(id=self._ids.new("C"), name=name, members=members, private=private)
        )

    def im(self, one: str, other: str) -> Channel:
        """Return the direct messages between these two, opened if need be."""
        return self.opened_im(one, other) or self._keep(
            Channel(id=self._ids.new("D"), name="", members={one, other}, im=True, private=True)
        )

    def opened_im(self, one: str, other: str) -> Channel | None:
        members = {one, other}
        return next((it for it in self if it.im and it.members == members), None)

    def by_id(self, id: object) -> Channel | None:
        return self._by_id.get(id) if isinstance(id, str) else None

    def named(self, name: str) -> Channel | None:
        return next((it for it in self if it.name and it.name == name.removeprefix("#")), None)

    def __getitem__(self, name: str) -> Channel:
        found = self.named(name) or self.by_id(name)
        if found is None:
            raise CannotAct(f"There is no channel called {name!r}.")
        return found

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_id.values())

    def _keep(self, channel: Channel) -> Channel:
        self._by_id[channel.id] = channel
        return channel
