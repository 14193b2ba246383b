"""conversations.open, conversations.info and conversations.history."""

from bot.playground.workspace.channels import Channel
from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.methods.method import Method, names, require
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

MOST_USERS = 8
PAGE, LONGEST_PAGE = 100, 999
"""docs.slack.dev/reference/methods/conversations.history"""
SCOPES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}


def open_im(state: State, arguments: Json) -> Json:
    """Open direct messages with one person, or with up to eight, or find those that are open."""
    bot = state.installation.bot_user_id
    known = _known(state, arguments)
    if known is None and arguments.get("prevent_creation"):
        raise ApiError("channel_not_found")
    channel = known or _opened(state, _partners(state, arguments))
    shown = channel.to_json(bot) if arguments.get("return_im") else {"id": channel.id}
    return {"channel": shown, **({"no_op": True, "already_open": True} if known else {})}


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


def _known(state: State, arguments: Json) -> Channel | None:
    bot = state.installation.bot_user_id
    if not arguments.get("users") and arguments.get("channel"):
        return _resumed(state, arguments["channel"])
    people = _partners(state, arguments)
    if len(people) == 1:
        return state.channels.opened_im(people[0].id, bot)
    return state.channels.opened_group_im({bot, *(it.id for it in people)})


def _resumed(state: State, id: str) -> Channel:
    channel = state.channels.by_id(id)
    if channel is None or state.installation.bot_user_id not in channel.members:
        raise ApiError("channel_not_found")
    if not (channel.im or channel.mpim):
        raise ApiError("method_not_supported_for_channel_type")
    require(state, f"{channel.kind}:write")
    return channel


def _opened(state: State, people: list[Person]) -> Channel:
    bot = state.installation.bot_user_id
    if len(people) == 1:
        return state.channels.im(people[0].id, bot)
    return state.channels.group_im({**{it.id: it.name for it in people}, bot: BOT_NAME})


def _partners(state: State, arguments: Json) -> list[Person]:
    """Return the people to talk with: docs.slack.dev/reference/methods/conversations.open."""
    users = [user for user in (arguments.get("users") or "").split(",") if user]
    if not users:
        raise ApiError("users_list_not_supplied")
    if len(users) > MOST_USERS:
        raise ApiError("too_many_users")
    require(state, "im:write" if len(users) == 1 else "mpim:write")
    return [_partner(state, user) for user in users]


def _partner(state: State, id: str) -> Person:
    person = state.people.by_id(id)
    if person is None or person.is_bot:
        raise ApiError("user_not_found")
    if person.deleted:
        raise ApiError("user_disabled")
    if person.is_stranger or person.hidden:
        raise ApiError("user_not_visible")
    return person


METHODS = {
    "conversations.open": Method(
        do=open_im, optional=names("users return_im channel prevent_creation")
    ),
    "conversations.history": Method(
        do=history, required=names("channel"), optional=names("limit include_all_metadata")
    ),
    "conversations.info": Method(
        do=info,
        required=names("channel"),
        optional=names("include_locale include_num_members"),
    ),
}
