"""Submissions of forms."""

from collections.abc import Awaitable, Callable
from typing import Any

from bot.registrar import Registrar
from bot.registration import Person
from handlers.views import form

Ack = Callable[..., Awaitable[Any]]


async def submit_form(ack: Ack, view: dict[str, Any], registrar: Registrar, person: Person) -> None:
    """Start a registration. The form's own id makes a repeated submission the same one."""
    wish = form.read_form(view, registrar.catalogue)
    await registrar.submit(wish, by=person, origin=view["id"])
    await ack()
