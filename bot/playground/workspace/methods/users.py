"""users.info: what Slack says of somebody."""

from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def info(state: State, arguments: Json) -> Json:
    person = state.people.by_id(arguments["user"])
    if person is None:
        raise ApiError("user_not_found")
    return {"user": person.to_json()}


METHODS = {
    "users.info": Method(
        do=info, scope="users:read", required=names("user"), optional=names("include_locale")
    ),
}
