"""The Slack app manifest, made from the scopes and events that the code uses.

Schema: github.com/slackapi/manifest-schema; limits: docs.slack.dev/reference/app-manifest
"""

from typing import Any
from urllib.parse import urlsplit

from bot.problems import Unusable
from handlers.listeners.command import Mention
from handlers.listeners.command_table import COMMANDS
from handlers.transport.http import PATH
from handlers.views.ids import COMMAND

SCOPES = {
    "app_mentions:read": "answers “@aad-setup status …” in channels",
    "channels:read": "checks at start that the approval channel can be used, if it is public",
    "chat:write": "posts and updates cards, direct messages and answers",
    "commands": f"offers {COMMAND}",
    "groups:read": "the same, if it is private",
    "im:history": "reads what people write to the bot, and finds its own post again after a crash",
    "im:write": "opens the direct message with a requester",
    "usergroups:read": "reads who is in APPROVER_GROUPS and REQUESTER_GROUPS",
    "users:read": "looks up users, and the app that the bot belongs to",
}
"""Each scope and its use."""

EVENTS = ("app_home_opened", "app_mention", "message.im")


def request_url(address: str) -> str:
    """Return where Slack has to post, for a bot at this public address. Raises Unusable."""
    try:
        parts = urlsplit(address.strip())
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise Unusable("--http must be the bot's public address, such as https://bot.example.com.")
    path = parts.path.rstrip("/").removesuffix(PATH)
    return f"https://{parts.netloc}{path}{PATH}"


def usage_hint() -> str:
    """Return the hint that Slack shows behind the command: the words that change nothing."""
    shown = (it for it in COMMANDS.values() if not it.is_hidden)
    words = [it.usage(id="id") for it in shown if it.mention is not Mention.REFUSED]
    return f"[{' | '.join(['profile', *words])}]"


def manifest(url: str | None = None) -> dict[str, Any]:
    """Return the manifest: for HTTP mode with a request URL, for Socket Mode without."""
    posted_to = {} if url is None else {"request_url": url}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "AAD Setup",
            "description": "Asks for, approves and registers Entra applications.",
            "background_color": "#1f3b57",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "aad-setup", "always_online": True},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "Request an Entra application, or show its status",
                    "usage_hint": usage_hint(),
                    "should_escape": True,
                    **({} if url is None else {"url": url}),
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {**posted_to, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **posted_to},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }
