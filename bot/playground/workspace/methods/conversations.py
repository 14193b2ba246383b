"""conversations.open, conversations.info and conversations.history."""

from bot.playground.workspace.methods.method import Method, names, require
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

PAGE, LONGEST_PAGE = 100, 999
"""docs.slack.dev/reference/methods/conversations.history"""
SCOPES = {"channel": "channels", "group": "groups", "im": "im"}


def open_im(state: State, arguments: Json) -> Json:
    """Open direct messages with one person, or find those that are open."""
    bot, person = state.installation.bot_user_id, _partner(state, arguments)
    known = state.channels.opened_im(person.id, bot) is not None
    channel = state.channels.im(person.id, bot)
    found = {"no_op": True, "already_open": True} if known else {}
    return {"channel": {"id": channel.id}, **found}


def info(state: State, arguments: Json) -> Json:
    channel = state.channels.by_id(arguments["channel"])
    bot = state.installation.bot_user_id
    if channel is None or (channel.private and bot not in channel.members):
        raise ApiError("channel_not_found")
    require(state, channel.read_scope)
    shown = channel.to_json(bot)
    if arguments.get("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


def history(state: State, arguments: Json) -> Json:
    """Return the latest messages, newest first, without ephemeral ones and answers in threads."""
    channel = state.channels.by_id(arguments["channel"])
    bot = state.installation.bot_user_id
    if channel is None or (bot not in channel.members and (channel.private or channel.im)):
        raise ApiError("channel_not_found")
    require(state, f"{SCOPES[channel.kind]}:history")
    if bot not in channel.members:
        raise ApiError("not_in_channel")
    limit = int(arguments.get("limit") or PAGE)
    if not 1 <= limit <= LONGEST_PAGE:
        raise ApiError("invalid_limit")
    there = [it for it in state.messages.all() if it.channel == channel.id and not it.thread_ts]
    shown = [it.to_json() for it in sorted(there, key=lambda it: it.ts, reverse=True)[:limit]]
    if not arguments.get("include_all_metadata"):
        shown = [{key: it[key] for key in it if key != "metadata"} for it in shown]
    return {"messages": shown, "has_more": len(there) > limit}


def _partner(state: State, arguments: Json) -> Person:
    """Return the person to talk with: docs.slack.dev/reference/methods/conversations.open."""
    users = [user for user in (arguments.get("users") or "").split(",") if user]
    if not users:
        raise ApiError("users_list_not_supplied")
    require(state, "im:write" if len(users) == 1 else "mpim:write")
    # Conversations with several people are not known here.
    person = state.people.by_id(users[0]) if len(users) == 1 else None
    if person is None or person.is_bot:
        raise ApiError("user_not_found")
    if person.deleted:
        raise ApiError("user_disabled")
    if person.is_stranger or person.hidden:
        raise ApiError("user_not_visible")
    return person


METHODS = {
    "conversations.open": Method(do=open_im, optional=names("users")),
    "conversations.history": Method(
        do=history, required=names("channel"), optional=names("limit include_all_metadata")
    ),
    "conversations.info": Method(
        do=info,
        required=names("channel"),
        optional=names("include_locale include_num_members"),
    ),
}
