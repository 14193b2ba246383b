"""response_urls: five posts in thirty minutes to where a person clicked or typed a command.

docs.slack.dev/interactivity/handling-user-interaction. Only the URL of a click can change a
message, and only the one that was clicked in; a command's URL can only add (bolt-python#1268).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.playground.workspace import content
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.messages import Content, Message
from bot.playground.workspace.methods.method import names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

LIFE = timedelta(minutes=30)
USES = 5
KNOWN = names(
    "text blocks response_type replace_original thread_ts unfurl_links unfurl_media mrkdwn metadata"
)


@dataclass(kw_only=True)
class Hook:
    """One response_url. `source` is the message that was clicked in; a command has none."""

    path: str
    channel: Channel
    person: str
    source: Message | None
    issued: datetime
    uses: int = 0
    posted: list[Message] = field(default_factory=list)


class Hooks:
    """Issues response_urls, with paths as Slack's have them, and does what is posted to them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._hooks: dict[str, Hook] = {}

    def issue(self, channel: Channel, person: str, source: Message | None = None) -> Hook:
        kind = "actions" if source else "commands"
        team_id, number = self._state.installation.team_id, len(self._hooks) + 1
        hook = Hook(
            path=f"/{kind}/{team_id}/{number}/{self._state.ids.secret('')}",
            channel=channel,
            person=person,
            source=source,
            issued=self._state.clock.now(),
        )
        self._hooks[hook.path] = hook
        return hook

    def use(self, path: str, body: Json) -> None:
        """Do what was posted; raise ApiError for a URL that has run out or a wrong body."""
        hook = self._usable(path)
        hook.uses += 1
        if unknown := set(body) - KNOWN:
            raise ApiError("invalid_arguments", f"unknown keys: {', '.join(sorted(unknown))}")
        match body:
            case {"replace_original": True} if hook.source:
                self._replace(hook.source, content.read(body, self._state.ids))
            case _:
                self.add(hook, body)

    def add(self, hook: Hook, body: Json) -> Message:
        """Post a new message: for everybody if the body says so, else ephemeral."""
        said = content.read(body, self._state.ids)
        message = self._post(hook, said, body.get("response_type", "ephemeral"), body)
        hook.posted.append(message)
        return message

    def _post(self, hook: Hook, said: Content, kind: str, body: Json) -> Message:
        thread_ts = body.get("thread_ts")
        if kind == "in_channel":
            return self._state.post(hook.channel, said, thread_ts)
        if kind != "ephemeral":
            raise ApiError("invalid_arguments", f"unknown response_type: {kind}")
        return self._state.whisper(hook.channel, hook.person, said, thread_ts)

    def _usable(self, path: str) -> Hook:
        hook = self._hooks.get(path)
        if hook is None or self._state.clock.now() - hook.issued > LIFE:
            raise ApiError("expired_url")
        if hook.uses >= USES:
            raise ApiError("used_url")
        return hook

    def _replace(self, source: Message, said: Content) -> None:
        """Change what was clicked in. On a screen that was reloaded an ephemeral is no more."""
        shelf = self._state.ephemerals if source.only_for else self._state.messages
        if shelf.by_ts(source.ts):
            shelf.change(source, said, self._state.stamp())
        else:
            self._state.record.complain("a replacement of a message that is gone", ts=source.ts)
