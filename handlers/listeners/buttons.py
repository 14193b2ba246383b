"""Clicks. Each takes the registration's id from the button, calls one verb, answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person
from bot.registrar import Registrar
from handlers.listeners.command_parser import Command
from handlers.listeners.command_replies import reply, retried
from handlers.slack.response_url import ResponseUrls, check_is_for_one, trigger_of
from handlers.slack.users import Users
from handlers.views import denial, form, ids
from handlers.views.values import masked_sheet, sheet, sheet_text

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]
Verb = Callable[..., Awaitable[object]]
Listener = Callable[..., Awaitable[None]]


def click(verb: Verb, *, bound: bool = False) -> Listener:
    """Return a listener that does what the button says; a card shows what came of it.

    With `bound` the button names what it is about, so that nothing later is meant.
    """

    async def clicked(ack: Ack, action: Json, registrar: Registrar, person: Person) -> None:
        value = action["value"]
        about = ids.read_bound_value(value) if bound else (value,)
        await verb(registrar, *about, by=person)
        await ack()

    return clicked


def answer(command: Command) -> Listener:
    """Return a listener that answers like the command, for the person alone."""

    async def answered(
        ack: Ack,
        body: Json,
        registrar: Registrar,
        person: Person,
        users: Users,
        response_urls: ResponseUrls,
        plain: bool,
    ) -> None:
        said = await reply(command, registrar, person, users, plain=plain)
        await response_urls.add(response_urls.url_of(body), text=said.text, blocks=said.blocks)
        await ack()

    return answered


async def approve(
    ack: Ack, action: Json, registrar: Registrar, person: Person, users: Users
) -> None:
    """Approve; before the last approval that is needed, those who approved earlier are judged anew,
    too.
    """
    id = action["value"]
    earlier = await registrar.earlier_approvers(id, by=person)
    seen = await users.look_up_all([each.user_id for each in earlier])
    await registrar.approve(id, by=person, seen=seen)
    await ack()


async def deny(
    ack: Ack,
    action: Json,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    """Ask why first; the answer is judged anew when it comes."""
    id = action["value"]
    await registrar.check_may_deny(id, by=person)
    await client.views_open(trigger_id=trigger_of(body), view=denial.denial(id))
    await ack()


async def again(
    ack: Ack,
    action: Json,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    """Open the form filled in as it was sent."""
    filled = await registrar.form_of(action["value"], by=person)
    view = form.form(registrar.catalogue, registrar.profile(filled.profile), filled)
    await client.views_open(trigger_id=trigger_of(body), view=view)
    await ack()


async def confirm_handover(
    ack: Ack, action: Json, registrar: Registrar, person: Person, users: Users
) -> None:
    """Confirm the heir that stands on the button, who is judged anew."""
    id, heir = ids.read_bound_value(action["value"])
    to = await users.mentioned(f"<@{heir}>")
    await registrar.confirm_handover(id, to=to, by=person)
    await ack()


async def confirm_rotation(
    ack: Ack, action: Json, registrar: Registrar, person: Person, users: Users
) -> None:
    """Confirm the rotation that stands on the button, and no later one. Before the last vote that
    is needed, those who confirmed it earlier are judged anew, too.
    """
    id, rotation = ids.read_bound_value(action["value"])
    earlier = await registrar.earlier_confirmers(id, rotation, by=person)
    seen = await users.look_up_all([each.user_id for each in earlier])
    await registrar.confirm_rotation(id, rotation, by=person, seen=seen)
    await ack()


async def retry(ack: Ack, action: Json, registrar: Registrar, person: Person, users: Users) -> None:
    """Retry. Those who approved are judged anew, as before the last approval."""
    await retried(action["value"], registrar, person, users)
    await ack()


async def renew(
    ack: Ack,
    action: Json,
    body: Json,
    registrar: Registrar,
    person: Person,
    response_urls: ResponseUrls,
) -> None:
    url = response_urls.url_of(body)
    await registrar.replace_secret(action["value"], by=person)
    text = "A new secret is being made. You get a message when it works."
    await response_urls.add(url, text=text)
    await ack()


async def values(
    ack: Ack,
    action: Json,
    body: Json,
    registrar: Registrar,
    person: Person,
    response_urls: ResponseUrls,
) -> None:
    """Show the values without the secret. The click proves that the person is there to see them."""
    found = await registrar.values(action["value"], by=person)
    await response_urls.add(response_urls.url_of(body), text=sheet_text(found), blocks=sheet(found))
    await ack()


async def reveal(
    ack: Ack,
    action: Json,
    body: Json,
    registrar: Registrar,
    person: Person,
    response_urls: ResponseUrls,
) -> None:
    """Put the secret in the place of the ephemeral that was clicked, once."""
    id, url = action["value"], response_urls.url_of(body)
    await registrar.check_may_reveal(id, by=person)
    check_is_for_one(body, id)
    look = await registrar.reveal(id, by=person, answer_to=url)
    text = sheet_text(look.values)
    if await response_urls.replace(url, text=text, blocks=sheet(look.values)):
        await registrar.shown(id, look.secret, by=person)
    else:
        await registrar.lost(id, look.secret, by=person)
    await ack()


async def hide(
    ack: Ack,
    action: Json,
    body: Json,
    registrar: Registrar,
    person: Person,
    response_urls: ResponseUrls,
) -> None:
    """Mask what was clicked at once, and have whatever else is open masked now."""
    found = await registrar.values(action["value"], by=person)
    check_is_for_one(body, found.registration.id)
    await response_urls.replace(
        response_urls.url_of(body), text=sheet_text(found), blocks=masked_sheet(found)
    )
    await registrar.hide(found.registration.id, by=person)
    await ack()
