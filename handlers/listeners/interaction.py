"""The argument of every listener, made by the Bolt middleware: the bot's services, the payload and
its sender.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse

from bot.domain.people import Person, Refusal
from bot.registrar import Registrar
from handlers.listeners.code_sign_ins import CodeSignIns
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.home_publisher import HomePublisher, is_home
from handlers.outbox.outcomes import check_counts
from handlers.slack.services import Slack
from handlers.slack.users import DOUBTS
from handlers.views.requests import read_bound_value
from handlers.views.ui import Blocks, Json, said


@dataclass(frozen=True, kw_only=True)
class ListenerServices:
    """The services of listeners."""

    slack: Slack
    registrar: Registrar
    home_publisher: HomePublisher
    preview_maker: PreviewMaker
    code_sign_ins: CodeSignIns

    async def post(
        self, event: Json, text: str, blocks: Blocks | None = None, *, thread: str | None = None
    ) -> None:
        """Answer an event in its thread, or begin the thread that is given."""
        await self.slack.client.chat_postMessage(
            channel=event.get("channel", ""),
            thread_ts=event.get("thread_ts") or thread,
            text=text,
            blocks=blocks or said(text),
            unfurl_links=False,
            unfurl_media=False,
        )

    async def post_ephemeral(self, event: Json, text: str, blocks: Blocks | None = None) -> None:
        """Answer an event to its user only."""
        await self.slack.client.chat_postEphemeral(
            channel=event.get("channel", ""),
            user=event.get("user", ""),
            # In a thread that is not there yet, an ephemeral message would not be seen.
            thread_ts=event.get("thread_ts"),
            text=text,
            blocks=blocks or said(text),
        )


@dataclass(frozen=True, kw_only=True)
class Interaction(ListenerServices):
    """A command, click, form or event, after its sender was looked up."""

    body: Json = field(repr=False)
    """The payload. Its `response_url` works without a token."""
    person: Person

    @property
    def action(self) -> Json:
        """The button or menu that was used."""
        action: Json = self.body["actions"][0]
        return action

    @property
    def id(self) -> str:
        """The registration's id, on a button or an entry of a menu that holds nothing else."""
        return str((self.action.get("selected_option") or self.action)["value"])

    @property
    def request(self) -> tuple[str, str | None]:
        """The registration's id and the request's, on a button that decides on a request."""
        return read_bound_value(self.id)

    @property
    def url(self) -> str:
        """The URL that answers a click in a message. Raises Refusal for any other click."""
        return self.slack.response_urls.url_of(self.body)

    @property
    def trigger(self) -> str:
        """The trigger that opens a form. Raises Refusal without it: Slack always sends one."""
        trigger = self.body.get("trigger_id")
        if not isinstance(trigger, str) or not trigger:
            raise Refusal("Slack did not let the bot open a form for this. Do it again.")
        return trigger

    async def open(self, view: Json) -> None:
        await self.slack.client.views_open(trigger_id=self.trigger, view=view)

    async def whisper(self, text: str, blocks: Blocks | None = None) -> None:
        """Answer a click with an ephemeral message."""
        await self.slack.response_urls.add(self.url, text=text, blocks=blocks)


Listener = Callable[[Interaction], Awaitable[Json | None]]
"""Returns the fields of the ack, if it has any."""


def acknowledged(listener: Listener) -> Callable[..., Awaitable[None]]:
    """Return the listener as Bolt calls it: acked when it has returned."""

    async def listen(ack: AsyncAck, interaction: Interaction) -> None:
        await ack(**(await listener(interaction) or {}))

    return listen


def middleware(
    listening: ListenerServices, *, help: str
) -> Callable[..., Awaitable[BoltResponse | None]]:
    """Return the middleware. It checks a payload, looks up its sender and puts the interaction into
    the context for the listener; `help` needs no look-up.
    """

    async def introduce(
        context: AsyncBoltContext, body: Json, next: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        if "event" in body and not _is_new_message(body["event"]):
            return BoltResponse(status=200)
        if _asks_for_help(body):
            listening.slack.users.check_is_ours(body)
            return json_response({"response_type": "ephemeral", "text": help})
        person = await listening.slack.users.person(body)
        if "event" in body and DOUBTS["is_bot"] in person.doubts:
            return BoltResponse(status=200)
        _check_buttons(body)
        await check_counts(body, listening.registrar)
        if is_home(body):
            listening.home_publisher.clicked(body, person.user_id)
        context["interaction"] = Interaction(**vars(listening), body=body, person=person)
        await next()
        return None

    return introduce


def json_response(body: Json) -> BoltResponse:
    return BoltResponse(
        status=200, body=json.dumps(body), headers={"content-type": "application/json"}
    )


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
        of = {"button": action, "overflow": action.get("selected_option") or {}}
        value = of.get(action.get("type"), {"value": ""}).get("value")
        if not isinstance(value, str) or not value.isprintable():
            raise Refusal("This button isn't from this bot. `/aad-setup status` lists yours.")
