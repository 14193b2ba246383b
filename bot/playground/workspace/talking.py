"""People type: commands, mentions, direct messages; and look at the app's home."""

import html
import re
from copy import deepcopy

from bot.playground.workspace import payloads
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.events import Events
from bot.playground.workspace.hooks import Hook, Hooks
from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.results import Reply
from bot.playground.workspace.sight import Sight, Where
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import Ack, ApiError, CannotAct, Json


class Talking:
    """Turns what people type into deliveries, and the app's answers into messages."""

    def __init__(self, state: State, sight: Sight, hooks: Hooks) -> None:
        self._state = state
        self._events = Events(state)
        self._sight = sight
        self._hooks = hooks

    async def command(self, person: Person, text: str, *, command: str, where: Where) -> Reply:
        """Type a slash command: docs.slack.dev/interactivity/implementing-slash-commands."""
        channel = self._sight.channel_of(person, where)
        self._check_can_command(person, command)
        hook = self._hooks.issue(channel, person.id)
        payload = payloads.command(
            self._state.installation,
            person,
            channel,
            command=command,
            text=self._escaped(text),
            response_url=self._state.url + hook.path,
            trigger_id=self._state.triggers.issue(person.id),
        )
        ack = await self._state.delivery.deliver("slash_commands", payload, answerable=True)
        return self._reply(command, hook, ack)

    async def say(
        self, person: Person, text: str, where: Where, thread_ts: str | None = None
    ) -> Message:
        """Write in a conversation; the app hears what it has subscribed to where it is."""
        channel = self._sight.channel_of(person, where)
        self._check_can_write(channel)
        message = self._state.say(channel, person.id, self._escaped(text), thread_ts)
        await self._events.written(person, channel, message)
        return message

    async def mention(
        self, person: Person, text: str, where: Where, thread_ts: str | None = None
    ) -> Message:
        """Write `@aad-setup text`; the app hears of it in channels that it is in."""
        return await self.say(person, f"@{BOT_NAME} {text}", where, thread_ts)

    async def open_home(self, person: Person, tab: str = "home") -> Json | None:
        """Open one of the app's tabs; return the home view that is there once the app knows."""
        app = self._state.installation
        offered = {"home": app.home_enabled, "messages": app.messages_tab_enabled}
        if not offered.get(tab):
            raise CannotAct(f"The app has no {tab} tab.")
        self._state.home_tabs[person.id] = tab
        home = deepcopy(self._state.views.home(person.id))
        await self._events.home_opened(person, self._sight.channel(person), tab, home)
        return self._state.views.home(person.id)

    def _check_can_write(self, channel: Channel) -> None:
        app = self._state.installation
        if channel.archived:
            raise CannotAct(f"{channel.name} is archived.")
        if not channel.im or app.bot_user_id not in channel.members:
            return
        if not app.messages_tab_enabled:
            raise CannotAct("The app has no messages tab.")
        if app.messages_tab_read_only:
            raise CannotAct("Sending messages to this app has been turned off.")

    def _check_can_command(self, person: Person, command: str) -> None:
        app = self._state.installation
        if command not in app.commands or "commands" not in app.scopes:
            raise CannotAct(f"{command} is not a valid command.")
        if not person.is_of(app.team_id) or person.deleted:
            raise CannotAct(f"{person.real_name} cannot use commands of this workspace.")

    def _reply(self, command: str, hook: Hook, ack: Ack) -> Reply:
        error = ack.error
        if ack.payload:
            error = self._shown(hook, ack.payload)
        messages = tuple(message.seen() for message in hook.posted)
        if error:
            return Reply(text=f'{command} failed with the error "{error}"', error=error)
        text = "\n".join(self._sight.text_of(message) for message in messages)
        return Reply(text=text, messages=messages)

    def _shown(self, hook: Hook, body: Json) -> str | None:
        """Show an ack's answer; return Slack's word for one that cannot be shown."""
        try:
            self._hooks.add(hook, body)
        except ApiError as wrong:
            self._state.record.complain(f"an ack of a command: {wrong.code}", body=body)
            return wrong.code
        return None

    def _escaped(self, text: str) -> str:
        """Write names as ids, as `should_escape` and every message does."""
        text = html.escape(text, quote=False)
        text = re.sub(r"(?<!\w)@([\w-]+)", lambda found: self._mentioned(found[1]), text)
        return re.sub(r"(?<![\w&])#([\w-]+)", lambda found: self._linked(found[1]), text)

    def _mentioned(self, name: str) -> str:
        if name == BOT_NAME:
            return f"<@{self._state.installation.bot_user_id}>"
        person = next((it for it in self._state.people if it.name == name), None)
        if person:
            return f"<@{person.id}|{name}>"
        group = self._state.groups.called(name)
        return f"<!subteam^{group.id}|@{name}>" if group else f"@{name}"

    def _linked(self, name: str) -> str:
        channel: Channel | None = self._state.channels.named(name)
        if channel is None:
            return f"#{name}"
        return f"<#{channel.id}|>" if channel.private else f"<#{channel.id}|{name}>"
