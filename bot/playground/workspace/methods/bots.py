"""bots.info: which app a bot is of."""

from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def info(state: State, arguments: Json) -> Json:
    """Return the app's own bot, the only one here: docs.slack.dev/reference/methods/bots.info."""
    app = state.installation
    if arguments.get("bot") != app.bot_id:
        raise ApiError("bot_not_found")
    bot = {
        "id": app.bot_id,
        "deleted": False,
        "name": "aad-setup",
        "updated": 1700000000,
        "app_id": app.api_app_id,
        "user_id": app.bot_user_id,
        "icons": {},
    }
    return {"bot": bot}


METHODS = {"bots.info": Method(do=info, scope="users:read", optional=names("bot"))}
