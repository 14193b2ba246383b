"""The Web API methods that the workspace knows, each with its scopes and arguments.

An argument that is not listed is refused, although Slack would ignore it: it is a slip.
"""

from bot.playground.workspace.methods import (
    apps,
    chat,
    conversations,
    usergroups,
    users,
    views,
)
from bot.playground.workspace.methods.method import Method

METHODS: dict[str, Method] = {
    **apps.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **usergroups.METHODS,
    **users.METHODS,
    **views.METHODS,
}
