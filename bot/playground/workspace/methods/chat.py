"""chat.*: messages that stay, and ephemeral ones, which no method can find again."""

from bot.playground.workspace import content
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.messages import Content, Message
from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

UPDATE_TEXT_LIMIT = 4000
POST_CONTENT = names("text blocks link_names parse username icon_emoji icon_url")


def post(state: State, arguments: Json) -> Json:
    channel = _channel_for_post(state, arguments["channel"])
    thread_ts = _thread(state, channel, arguments)
    message = state.post(channel, content.read(arguments, state.ids), thread_ts)
    return {"channel": channel.id, "ts": message.ts, "message": message.to_json()}


def post_ephemeral(state: State, arguments: Json) -> Json:
    channel = joined_channel(state, arguments["channel"])
    reader = state.people.by_id(arguments["user"])
    if reader is None or reader.id not in channel.members:
        raise ApiError("user_not_in_channel")
    thread_ts = _thread(state, channel, arguments)
    whisper = state.whisper(channel, reader.id, content.read(arguments, state.ids), thread_ts)
    return {"message_ts": whisper.ts}


def update(state: State, arguments: Json) -> Json:
    message = _own(state, arguments, "cant_update_message")
    if len(arguments.get("text") or "") > UPDATE_TEXT_LIMIT:
        raise ApiError("msg_too_long")
    state.messages.change(message, _changed(state, message.content, arguments), state.stamp())
    return {
        "channel": message.channel,
        "ts": message.ts,
        "text": message.content.text,
        "message": message.to_json(),
    }


def delete(state: State, arguments: Json) -> Json:
    message = _own(state, arguments, "cant_delete_message")
    state.messages.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def joined_channel(state: State, reference: str) -> Channel:
    """Return a channel that the app is in, by id or name; a user id will not do."""
    channel = state.channels.by_id(reference) or state.channels.named(reference)
    bot = state.installation.bot_user_id
    if channel is None or (channel.private and bot not in channel.members):
        raise ApiError("channel_not_found")
    if bot not in channel.members:
        raise ApiError("not_in_channel")
    return _open_for_messages(state, channel)


def _open_for_messages(state: State, channel: Channel) -> Channel:
    if channel.archived:
        raise ApiError("is_archived")
    if channel.im and not state.installation.messages_tab_enabled:
        raise ApiError("messages_tab_disabled")
    return channel


def _channel_for_post(state: State, reference: str) -> Channel:
    person = state.people.by_id(reference)
    if person is None:
        return joined_channel(state, reference)
    if not _can_be_written_to(person):
        raise ApiError("channel_not_found")
    im = state.channels.im(person.id, state.installation.bot_user_id)
    return _open_for_messages(state, im)


def _can_be_written_to(person: Person) -> bool:
    return not (person.deleted or person.is_bot or person.is_stranger)


def _thread(state: State, channel: Channel, arguments: Json) -> str | None:
    thread_ts: str | None = arguments.get("thread_ts")
    if thread_ts and state.messages.find(channel.id, thread_ts) is None:
        raise ApiError("cannot_reply_to_message")
    return thread_ts


def _own(state: State, arguments: Json, not_ours: str) -> Message:
    """Return the app's own message; here channels go by id only.

    docs.slack.dev/reference/methods/chat.update
    """
    channel = state.channels.by_id(arguments["channel"])
    if channel is None or state.installation.bot_user_id not in channel.members:
        raise ApiError("channel_not_found")
    message = state.messages.find(channel.id, arguments["ts"])
    if message is None:
        raise ApiError("message_not_found")
    if message.author != state.installation.bot_user_id:
        raise ApiError(not_ours)
    return message


def _changed(state: State, before: Content, arguments: Json) -> Content:
    """Blocks left out are kept; empty ones are removed."""
    kept: Json = {"blocks": list(before.blocks)}
    if before.metadata:
        kept["metadata"] = before.metadata
    given = {key: value for key, value in arguments.items() if value is not None}
    return content.read({**kept, **given}, state.ids)


METHODS = {
    "chat.postMessage": Method(
        do=post,
        scope="chat:write",
        required=names("channel"),
        optional=POST_CONTENT
        | names("thread_ts reply_broadcast unfurl_links unfurl_media metadata mrkdwn"),
    ),
    "chat.postEphemeral": Method(
        do=post_ephemeral,
        scope="chat:write",
        required=names("channel user"),
        optional=POST_CONTENT | names("thread_ts"),
    ),
    "chat.update": Method(
        do=update,
        scope="chat:write",
        required=names("channel ts"),
        optional=names(
            "text blocks link_names parse metadata reply_broadcast unfurl_links unfurl_media"
        ),
    ),
    "chat.delete": Method(do=delete, scope="chat:write", required=names("channel ts")),
}
