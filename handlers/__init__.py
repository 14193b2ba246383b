"""Slack's side of the bot."""

from slack_bolt.async_app import AsyncApp

from handlers.listeners import buttons, commands, errors
from handlers.listeners.interaction import ListenerServices, acknowledged
from handlers.listeners.middleware import middleware
from handlers.views import ids


def register(app: AsyncApp, slack: ListenerServices) -> None:
    """Connect every command, form, click and event with its listener."""
    app.use(middleware(slack))
    app.error(errors.handler(slack))
    app.command(ids.COMMAND)(acknowledged(commands.command))
    for id, submitted in buttons.SUBMISSIONS.items():
        app.view(id)(acknowledged(submitted))
    for id, clicked in buttons.ACTIONS.items():
        app.action(id)(acknowledged(clicked))
    for event, listener in commands.EVENTS.items():
        app.event(event)(acknowledged(listener))
