"""Submissions of forms."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.registrar import Registrar
from bot.registration import Person
from handlers.views import form, ids

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]


async def choose_profile(
    ack: Ack,
    action: Json,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    """Redraw the form for the profile chosen; Slack keeps what was typed into the same fields."""
    registrar.check_may_ask(person)
    profile = registrar.profile((action.get("selected_option") or {}).get("value") or "")
    view = body["view"]
    await client.views_update(
        view_id=view["id"], hash=view["hash"], view=form.form(registrar.catalogue, profile)
    )
    await ack()


async def submit_form(ack: Ack, view: dict[str, Any], registrar: Registrar, person: Person) -> None:
    """Start a registration. The form's own id makes a repeated submission the same one."""
    wish = form.read_form(view, registrar.catalogue)
    await registrar.submit(wish, by=person, origin=view["id"])
    await ack()


async def submit_denial(
    ack: Ack, view: dict[str, Any], registrar: Registrar, person: Person
) -> None:
    """Deny, for the reason given: whether this person may is judged now, not when it opened."""
    reason = view["state"]["values"][ids.REASON][ids.CHOSEN].get("value") or ""
    await registrar.deny(view["private_metadata"], by=person, reason=reason)
    await ack()
