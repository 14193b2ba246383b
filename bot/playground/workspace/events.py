"""The Events API: what the app has subscribed to and may hear, it is told.

docs.slack.dev/apis/events-api, docs.slack.dev/reference/events
"""

from bot.playground.workspace import payloads
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import Json


class Events:
    """Tells the app of events, at once or beside what goes on."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.messages.listeners.append(self._overheard)

    async def written(self, person: Person, channel: Channel, message: Message) -> None:
        """Tell of what a person wrote: an app_mention, a message, or both."""
        app = self._state.installation
        if app.bot_user_id not in channel.members:
            return
        mentioned = f"<@{app.bot_user_id}" in message.content.text
        if mentioned and not channel.im:
            mention = payloads.written("app_mention", app, person, channel, message)
            await self.tell(mention, channel)
        if self._hears(channel):
            said = payloads.written("message", app, person, channel, message)
            await self.tell(said, channel)

    async def home_opened(self, person: Person, im: Channel, tab: str, home: Json | None) -> None:
        await self.tell(payloads.app_home_opened(person, im, tab, home, self._state.stamp()), im)

    async def tell(self, inner: Json, channel: Channel) -> None:
        """Deliver an event if the app has subscribed to it and holds its scope.

        Of messages the app hears those in its own direct messages alone.
        """
        app = self._state.installation
        kind = inner["type"]
        if kind != "message" and kind not in app.events:
            return
        if kind == "app_mention" and "app_mentions:read" not in app.scopes:
            return
        payload = payloads.event(
            app,
            inner,
            event_id=self._state.ids.new("Ev"),
            event_time=int(self._state.clock.now().timestamp()),
            shared=channel.is_ext_shared,
        )
        await self._state.delivery.deliver("events_api", payload)

    def _hears(self, channel: Channel) -> bool:
        app = self._state.installation
        return channel.im and "message.im" in app.events and "im:history" in app.scopes

    def _overheard(self, message: Message, what: str, before: Json | None) -> None:
        """Tell the app of its own messages, too: Slack does, and it is for apps to ignore them."""
        app = self._state.installation
        channel = self._state.channels.by_id(message.channel)
        if channel is None or message.author != app.bot_user_id or not self._hears(channel):
            return
        stamp = self._state.stamp()
        inner = payloads.own_message(app, channel, message, what=what, before=before, stamp=stamp)
        self._state.tasks.start(self.tell(inner, channel))
