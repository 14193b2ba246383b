"""Slack's side of the bot."""

from slack_bolt.async_app import AsyncApp

from handlers.listeners import buttons, errors, events, modals
from handlers.listeners.commands import command
from handlers.listeners.interaction import ListenerServices, acknowledged
from handlers.listeners.middleware import middleware
from handlers.views import ids


def register(app: AsyncApp, slack: ListenerServices) -> None:
    """Connect every command, form, click and event with its listener."""
    app.use(middleware(slack))
    app.error(errors.handler(slack))
    app.command(ids.COMMAND)(acknowledged(command))
    for id, submitted in modals.LISTENERS.items():
        app.view(id)(acknowledged(submitted))
    for id, clicked in buttons.LISTENERS.items():
        app.action(id)(acknowledged(clicked))
    for event, listener in events.LISTENERS.items():
        app.event(event)(acknowledged(listener))
