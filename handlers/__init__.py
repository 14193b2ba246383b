"""Slack's side of the bot."""

from slack_bolt.async_app import AsyncApp

from handlers.listeners import buttons, commands, errors
from handlers.listeners.command import help_text
from handlers.listeners.command_table import COMMANDS
from handlers.listeners.interaction import ListenerServices, acknowledged, middleware
from handlers.views import ids


def register(app: AsyncApp, listening: ListenerServices) -> None:
    """Connect every command, form, click and event with its listener."""
    app.use(middleware(listening, help=help_text(COMMANDS.values())))
    app.error(errors.handler(listening))
    app.command(ids.COMMAND)(acknowledged(commands.command))
    for id, submitted in buttons.SUBMISSIONS.items():
        app.view(id)(acknowledged(submitted))
    for id, clicked in buttons.ACTIONS.items():
        app.action(id)(acknowledged(clicked))
    for event, listener in commands.EVENTS.items():
        app.event(event)(acknowledged(listener))
