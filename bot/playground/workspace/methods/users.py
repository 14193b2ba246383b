"""users.info and bots.info: what Slack says of a person, and of a bot."""

from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.people import Person
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

SLACKBOT = "USLACKBOT"


def info(state: State, arguments: Json) -> Json:
    id = arguments["user"]
    if id == state.installation.bot_user_id:
        return {"user": _the_app(state)}
    person = _slackbot(state) if id == SLACKBOT else state.people.by_id(id)
    if person is None:
        raise ApiError("user_not_found")
    if person.hidden:
        raise ApiError("user_not_visible")
    return {"user": person.to_json(state.clock.now())}


def bot_info(state: State, arguments: Json) -> Json:
    app = state.installation
    if arguments["bot"] != app.bot_id:
        raise ApiError("bot_not_found")
    bot = {
        "id": app.bot_id,
        "deleted": False,
        "name": BOT_NAME,
        "updated": 0,
        "app_id": app.api_app_id,
        "user_id": app.bot_user_id,
        "icons": {},
    }
    return {"bot": bot}


def _slackbot(state: State) -> Person:
    """Slack's own, which says of itself that it is none."""
    team = state.installation.team_id
    return Person(id=SLACKBOT, name="slackbot", real_name="Slackbot", team_id=team)


def _the_app(state: State) -> Json:
    app = state.installation
    bot = Person(
        id=app.bot_user_id, name=BOT_NAME, real_name=BOT_NAME, team_id=app.team_id, is_bot=True
    )
    user = bot.to_json(state.clock.now())
    user["profile"] |= {"api_app_id": app.api_app_id, "bot_id": app.bot_id}
    return user


METHODS = {
    "users.info": Method(
        do=info, scope="users:read", required=names("user"), optional=names("include_locale")
    ),
    "bots.info": Method(do=bot_info, scope="users:read", required=names("bot")),
}
