"""The App Home is opened, and its pages are turned."""

from collections.abc import Awaitable, Callable
from typing import Any

from bot.domain.people import Person
from handlers.outbox.home_publisher import HomePublisher
from handlers.views import home as views

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]


async def opened(body: Json, home_publisher: HomePublisher, person: Person) -> None:
    """Publish the Home of the user who opens it; the first visit is greeted."""
    event = body["event"]
    if event.get("tab") != "home":  # the same event tells of the Messages tab
        return
    said = "" if event.get("view") else views.GREETING
    await home_publisher.open(body, person.user_id, said=said)


async def turn(
    ack: Ack, action: Json, body: Json, home_publisher: HomePublisher, person: Person
) -> None:
    """Show the page that the button stands for."""
    part, page = views.read_page(action.get("value"))
    await home_publisher.turn(body, person.user_id, part, page)
    await ack()
