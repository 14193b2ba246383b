"""auth.test and apps.connections.open: who the app is, and where its socket goes."""

from bot.playground.workspace.methods.method import Method, Token
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import Json


def test(state: State, arguments: Json) -> Json:
    app = state.installation
    return {
        "url": f"https://{app.team_domain}.slack.com/",
        "team": app.team_domain,
        "user": "aad-setup",
        "team_id": app.team_id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def open_connection(state: State, arguments: Json) -> Json:
    address = state.url.replace("http://", "ws://")
    return {"url": f"{address}/link?ticket={state.sockets.ticket()}"}


METHODS = {
    "auth.test": Method(do=test),
    "apps.connections.open": Method(do=open_connection, token=Token.APP),
}
