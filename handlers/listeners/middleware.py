"""The Bolt middleware: checks a payload, looks up its sender and makes the `Interaction`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse

from bot.domain.people import Refusal
from handlers.listeners.command import help_text
from handlers.listeners.command_table import COMMANDS
from handlers.listeners.errors import json_response
from handlers.listeners.interaction import Interaction, ListenerServices
from handlers.outbox.duplicates import check_counts
from handlers.outbox.home_publisher import is_home
from handlers.slack.users import DOUBTS

Json = dict[str, Any]


def middleware(slack: ListenerServices) -> Callable[..., Awaitable[BoltResponse | None]]:
    """Return the middleware. It puts the interaction into the context for the listener."""

    async def introduce(
        context: AsyncBoltContext, body: Json, next: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        if "event" in body and not _is_new_message(body["event"]):
            return BoltResponse(status=200)
        if _asks_for_help(body):
            slack.users.check_is_ours(body)
            said = help_text(COMMANDS.values())
            return json_response({"response_type": "ephemeral", "text": said})
        person = await slack.users.person(body)
        if "event" in body and DOUBTS["is_bot"] in person.doubts:
            return BoltResponse(status=200)
        _check_buttons(body)
        await check_counts(body, slack.registrar)
        if is_home(body):
            slack.home_publisher.clicked(body, person.user_id)
        context["interaction"] = Interaction(**vars(slack), body=body, person=person)
        await next()
        return None

    return introduce


def _asks_for_help(body: Mapping[str, Any]) -> bool:
    """Whether a command only asks for help, which takes no look-up."""
    return "command" in body and str(body.get("text") or "").strip().lower() == "help"


def _is_new_message(event: Mapping[str, Any]) -> bool:
    """Whether an event is a new message of a user. An edited message is no second command, and bots
    are not answered, or two would never stop.
    """
    return not (event.get("bot_id") or event.get("subtype") or event.get("edited"))


def _check_buttons(body: Mapping[str, Any]) -> None:
    """Raise Refusal for a button that the bot has not drawn: its value would reach the database."""
    for action in body.get("actions") or ():
        value = action.get("value") if action.get("type") == "button" else ""
        if not isinstance(value, str) or not value.isprintable():
            raise Refusal("This button isn't from this bot. `/aad-setup status` lists yours.")
