"""conversations.open and conversations.info."""

from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def open_im(state: State, arguments: Json) -> Json:
    bot = state.installation.bot_user_id
    person = _partner(state, arguments)
    known = state.channels.opened_im(person.id, bot)
    channel = known or state.channels.im(person.id, bot)
    shown = channel.to_json(bot) if arguments.get("return_im") else {"id": channel.id}
    return {"channel": shown, **({"no_op": True, "already_open": True} if known else {})}


def info(state: State, arguments: Json) -> Json:
    channel = state.channels.by_id(arguments["channel"])
    bot = state.installation.bot_user_id
    if channel is None or (channel.private and bot not in channel.members):
        raise ApiError("channel_not_found")
    if channel.read_scope not in state.installation.scopes:
        provided = ",".join(sorted(state.installation.scopes))
        raise ApiError("missing_scope", needed=channel.read_scope, provided=provided)
    return {"channel": channel.to_json(bot)}


def _partner(state: State, arguments: Json) -> Person:
    """Return the one person to talk with; group conversations are not played here."""
    users = [user for user in (arguments.get("users") or "").split(",") if user]
    if not users:
        raise ApiError("users_list_not_supplied")
    if len(users) > 1:
        raise ApiError("missing_scope", needed="mpim:write", provided="im:write")
    person = state.people.by_id(users[0])
    if person is None or person.is_bot:
        raise ApiError("user_not_found")
    if person.deleted:
        raise ApiError("user_disabled")
    if person.is_stranger:
        raise ApiError("user_not_visible")
    return person


METHODS = {
    "conversations.open": Method(
        do=open_im, scope="im:write", optional=names("users return_im channel prevent_creation")
    ),
    "conversations.info": Method(
        do=info,
        required=names("channel"),
        optional=names("include_locale include_num_members"),
    ),
}
