"""auth.test and apps.connections.open: who the app is, and where its socket goes."""

from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.methods.method import Method, Token
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def test(state: State, arguments: Json) -> Json:
    app = state.installation
    grid = {"enterprise_id": app.enterprise_id} if app.enterprise_id else {}
    return {
        "url": f"https://{app.team_domain}.slack.com/",
        "team": app.team_domain,
        "user": BOT_NAME,
        "team_id": app.team_id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": app.is_org_wide,
        **grid,
    }


def open_connection(state: State, arguments: Json) -> Json:
    if not state.installation.socket_mode_enabled:
        # Slack does not say what it answers then; this is the method's documented word for
        # "cannot use this", and no client takes it for a passing trouble.
        raise ApiError("forbidden_team")
    address = state.url.replace("http://", "ws://")
    return {"url": f"{address}/link?ticket={state.sockets.ticket()}"}


METHODS = {
    "auth.test": Method(do=test),
    "apps.connections.open": Method(do=open_connection, scope="connections:write", token=Token.APP),
}
