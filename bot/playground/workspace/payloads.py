"""What Slack sends an app when a person does something: pure functions from facts to JSON.

docs.slack.dev/reference/interaction-payloads,
docs.slack.dev/interactivity/implementing-slash-commands
"""

from typing import Any

from bot.playground.workspace.channels import Channel
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.wire import Json

VERIFICATION_TOKEN = "deprecated"


def command(
    app: Installation, person: Person, channel: Channel, *, command: str, text: str, **urls: str
) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": app.team_id,
        "team_domain": app.team_domain,
        "channel_id": channel.id,
        "channel_name": channel.payload_name,
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": app.api_app_id,
        "is_enterprise_install": "false",
        **({"enterprise_id": app.enterprise_id} if app.enterprise_id else {}),
        **urls,
    }


def _interaction(app: Installation, person: Person, kind: str) -> Json:
    user = {
        "id": person.id,
        "username": person.name,
        "name": person.name,
        "team_id": person.team_id,
    }
    return {
        "type": kind,
        "user": user,
        "api_app_id": app.api_app_id,
        "token": VERIFICATION_TOKEN,
        "team": {"id": app.team_id, "domain": app.team_domain},
        "enterprise": {"id": app.enterprise_id} if app.enterprise_id else None,
        "is_enterprise_install": False,
    }


def click_in_message(
    app: Installation,
    person: Person,
    channel: Channel,
    message: Message,
    *,
    action: Json,
    trigger_id: str,
    response_url: str,
) -> Json:
    """A click in a message; one in an ephemeral message comes without the message."""
    ephemeral = message.only_for is not None
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    payload = {
        **_interaction(app, person, "block_actions"),
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": channel.payload_name},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    return payload if ephemeral else {**payload, "message": message.to_json()}


def click_in_view(
    app: Installation, person: Person, view: Json, *, action: Json, trigger_id: str
) -> Json:
    return {
        **_interaction(app, person, "block_actions"),
        "container": {"type": "view", "view_id": view["id"]},
        "trigger_id": trigger_id,
        "view": view,
        "actions": [action],
    }


def submission(app: Installation, person: Person, view: Json, *, trigger_id: str) -> Json:
    return {
        **_interaction(app, person, "view_submission"),
        "trigger_id": trigger_id,
        "view": view,
        "response_urls": [],
    }


def event(app: Installation, inner: Json, *, event_id: str, event_time: int, shared: bool) -> Json:
    bot = {
        "enterprise_id": app.enterprise_id,
        "team_id": app.team_id,
        "user_id": app.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": app.team_id,
        "api_app_id": app.api_app_id,
        "event": inner,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": event_time,
        "authorizations": [bot],
        "is_ext_shared_channel": shared,
    }


def app_home_opened(person: Person, im: Channel, tab: str, home: Json | None, ts: str) -> Json:
    """The Messages tab tells of itself, too, and without a view: docs …/events/app_home_opened."""
    inner: dict[str, Any] = {
        "type": "app_home_opened",
        "user": person.id,
        "channel": im.id,
        "tab": tab,
        "event_ts": ts,
    }
    return {**inner, "view": home} if home and tab == "home" else inner


def written(
    kind: str, app: Installation, person: Person, channel: Channel, message: Message
) -> Json:
    """An app_mention, or a message in a conversation."""
    inner: dict[str, Any] = {
        "type": kind,
        "user": person.id,
        "text": message.content.text,
        "ts": message.ts,
        "team": app.team_id,
        "channel": channel.id,
        "event_ts": message.ts,
    }
    if message.thread_ts:
        inner["thread_ts"] = message.thread_ts
    if kind == "message":
        inner["channel_type"] = channel.kind
    if person.team_id != app.team_id:
        inner |= {"user_team": person.team_id, "source_team": person.team_id}
    return inner


def own_message(
    app: Installation,
    channel: Channel,
    message: Message,
    *,
    what: str,
    before: Json | None,
    stamp: str,
) -> Json:
    """What an app hears of its own message. A changed or deleted one names no author on top."""
    common = {"type": "message", "channel": channel.id, "channel_type": channel.kind}
    if before is None:
        own = {"app_id": app.api_app_id, "team": app.team_id, "event_ts": message.ts}
        return {**message.to_json(), **common, **own}
    hidden = {**common, "subtype": what, "hidden": True, "ts": stamp, "event_ts": stamp}
    if what == "message_deleted":
        return {**hidden, "deleted_ts": message.ts, "previous_message": before}
    return {**hidden, "message": message.to_json(), "previous_message": before}
