"""The Slack app manifest, made from what the code uses.

Schema: github.com/slackapi/manifest-schema; limits: docs.slack.dev/reference/app-manifest
"""

from typing import Any

from handlers.views.ids import COMMAND

SCOPES = {
    "app_mentions:read": "hears “@aad-setup status …” in channels",
    "channels:read": "looks at start whether the approval channel will do, if it is public",
    "chat:write": "posts and updates cards, direct messages and answers",
    "commands": f"offers {COMMAND}",
    "groups:read": "the same, if it is private",
    "im:write": "opens the direct message with a requester",
    "usergroups:read": "reads who is in APPROVER_GROUPS and REQUESTER_GROUPS",
    "users:read": "asks Slack who somebody is: guest, bot, deactivated, outsider",
}
"""Each scope and what the bot does with it."""

EVENTS = ("app_mention",)


def manifest() -> dict[str, Any]:
    """Return the manifest for Socket Mode."""
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "AAD Setup",
            "description": "Asks for, approves and registers Entra applications.",
            "background_color": "#1f3b57",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "aad-setup", "always_online": True},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "Ask for an Entra application, or see how one stands",
                    "usage_hint": "[status [id] | check id | help]",
                    "should_escape": True,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }
