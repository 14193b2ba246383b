"""The argument of every listener: the bot's services, the payload and the person who sent it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person
from bot.registrar import Registrar
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.home_publisher import HomePublisher
from handlers.slack.response_url import ResponseUrls, trigger_of
from handlers.slack.users import Users
from handlers.views import ids
from handlers.views.blocks import Blocks, said

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ListenerServices:
    """What listeners work with."""

    client: AsyncWebClient
    registrar: Registrar
    users: Users
    response_urls: ResponseUrls
    home_publisher: HomePublisher
    preview_maker: PreviewMaker
    contact: str
    plain: bool

    async def post(
        self, event: Json, text: str, blocks: Blocks | None = None, *, thread: str | None = None
    ) -> None:
        """Answer an event in its thread, or begin the thread that is given."""
        await self.client.chat_postMessage(
            channel=event.get("channel", ""),
            thread_ts=event.get("thread_ts") or thread,
            text=text,
            blocks=blocks or said(text),
            unfurl_links=False,
            unfurl_media=False,
        )

    async def post_ephemeral(self, event: Json, text: str, blocks: Blocks | None = None) -> None:
        """Answer an event to its user only."""
        await self.client.chat_postEphemeral(
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
        """The registration's id, on a button that holds nothing else."""
        return str(self.action["value"])

    @property
    def request(self) -> tuple[str, str | None]:
        """The registration's id and the request's, on a button that decides on a request."""
        return ids.read_bound_value(self.id)

    @property
    def url(self) -> str:
        """The URL that answers a click in a message. Raises Refusal for any other click."""
        return self.response_urls.url_of(self.body)

    @property
    def trigger(self) -> str:
        """The trigger that opens a form. Raises Refusal without it: Slack always sends one."""
        return trigger_of(self.body)

    async def open(self, view: Json) -> None:
        await self.client.views_open(trigger_id=self.trigger, view=view)

    async def whisper(self, text: str, blocks: Blocks | None = None) -> None:
        """Answer a click with an ephemeral message."""
        await self.response_urls.add(self.url, text=text, blocks=blocks)


Listener = Callable[[Interaction], Awaitable[Json | None]]
"""Returns the fields of the ack, if it has any."""


def acknowledged(listener: Listener) -> Callable[..., Awaitable[None]]:
    """Return the listener as Bolt calls it: acked when it has returned."""

    async def listen(ack: AsyncAck, interaction: Interaction) -> None:
        await ack(**(await listener(interaction) or {}))

    return listen
