"""What people see: the messages of their conversations, their ephemerals, their views."""

from bot.playground.workspace.blocks import dates, mrkdwn, render
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.record import Entry, Kind
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import CannotAct, Json

Where = str | Person | Channel
"""A channel by name or id, or a person: their direct messages with the app."""


class Sight:
    """Looks at the state through people's eyes."""

    def __init__(self, state: State) -> None:
        self._state = state

    def channel(self, where: Where) -> Channel:
        if isinstance(where, Channel):
            return where
        if isinstance(where, str):
            known = self._state.channels.by_id(where) or self._state.channels.named(where)
            if known:
                return known
        person = self._state.people.find(where)
        return self._state.channels.im(person.id, self._state.installation.bot_user_id)

    def channel_of(self, person: Person, where: Where) -> Channel:
        """Return a conversation that this person is in."""
        channel = self.channel(where)
        if person.id not in channel.members:
            raise CannotAct(f"{person.name} is not in {channel.name or channel.id}.")
        return channel

    def messages(self, channel: Channel) -> list[Message]:
        return [it for it in self._state.messages.all() if it.channel == channel.id]

    def ephemerals(self, person: Person) -> list[Message]:
        return [it for it in self._state.ephemerals.all() if it.only_for == person.id]

    def visible(self, person: Person) -> list[Message]:
        """Return every message before this person's eyes, newest first."""
        mine = {channel.id for channel in self._state.channels if person.id in channel.members}
        kept = [it for it in self._state.messages.all() if it.channel in mine]
        return sorted([*kept, *self.ephemerals(person)], key=lambda it: it.ts, reverse=True)

    def name_of(self, id: str) -> str:
        """Return the name of what has this id; a mention may bring a name along: U123|ada."""
        id = id.partition("|")[0]
        if id == self._state.installation.bot_user_id:
            return BOT_NAME
        named = self._state.people.by_id(id) or self._state.channels.by_id(id)
        if named:
            return named.name
        group = self._state.groups.by_id(id)
        return group.handle if group else id

    def text_of(self, item: Json, person: Person | None = None) -> str:
        """Return what is on the screen; dates as this person sees them, or their fallbacks."""
        return render.text_of(item, self.name_of, self._when(person))

    def words(self, text: str, person: Person | None = None) -> str:
        return mrkdwn.shown(text, self.name_of, self._when(person))

    def _when(self, person: Person | None) -> dates.When:
        return dates.reader(person.tz, self._state.clock.now()) if person else dates.unread

    def picture(self) -> str:
        """Return the whole workspace as text, for whoever waits in vain."""
        parts = [self._panel(self._place(it), it.seen()) for it in self._everything()]
        for person in self._state.people:
            if view := self._state.views.top(person.id):
                parts.append(self._panel(f"{person.name}'s modal", view))
        parts += [f"complaint: {entry.what} {entry.sent}" for entry in self._complaints()]
        return "\n".join(parts) or "(nothing has been said)"

    def _complaints(self) -> list[Entry]:
        return self._state.record.of(Kind.COMPLAINT)

    def _everything(self) -> list[Message]:
        both = [*self._state.messages.all(), *self._state.ephemerals.all()]
        return sorted(both, key=lambda it: it.ts)

    def _place(self, message: Message) -> str:
        channel = self._state.channels[message.channel]
        people = [self.name_of(id) for id in channel.members]
        place = f"#{channel.name}" if channel.name else "/".join(sorted(people))
        only = f", only for {self.name_of(message.only_for)}" if message.only_for else ""
        return f"{place}{only}, {self.name_of(message.author)}"

    def _panel(self, place: str, item: Json) -> str:
        lines = self.text_of(item).splitlines()
        return "\n".join([f"{place}:", *(f"  | {line}" for line in lines)])
