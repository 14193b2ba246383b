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
from handlers.views.values import MAKING, masked_sheet, sheet

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]
Verb = Callable[..., Awaitable[object]]
Listener = Callable[..., Awaitable[None]]


def click(verb: Verb) -> Listener:
    """Return a listener that does what the button says; a card shows what came of it."""

    async def clicked(ack: Ack, action: Json, person: Person) -> None:
        await verb(action["value"], by=person)
        await ack()

    return clicked


def decide(verb: Verb) -> Listener:
    """Return a listener for a button that names a request, so that nothing later is meant."""

    async def clicked(ack: Ack, action: Json, person: Person) -> None:
        await verb(*ids.read_bound_value(action["value"]), by=person)
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
    """Approve the request that stands on the button. Before the last approval that is needed, those
    who approved earlier are judged anew, too.
    """
    about = ids.read_bound_value(action["value"])
    people_concerned = await registrar.approval.to_look_up(*about, by=person)
    seen = await users.look_up_all([each.user_id for each in people_concerned])
    await registrar.approval.approve(*about, by=person, seen=seen)
    await ack()


async def replaced(ack: Ack, registrar: Registrar, person: Person) -> None:
    """Answer a button of an older version."""
    registrar.queries.refuse_old_button(person)
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
    about = ids.read_bound_value(action["value"])
    await registrar.approval.check_may_deny(*about, by=person)
    await client.views_open(trigger_id=trigger_of(body), view=denial.denial(*about))
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
    filled = await registrar.submission.form_of(action["value"], by=person)
    view = form.form(registrar.catalogue, registrar.submission.profile(filled.profile), filled)
    await client.views_open(trigger_id=trigger_of(body), view=view)
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
    await registrar.secrets.replace(action["value"], by=person)
    await response_urls.add(url, text=MAKING)
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
    found = await registrar.secrets.values(action["value"], by=person)
    text, blocks = sheet(found)
    await response_urls.add(response_urls.url_of(body), text=text, blocks=blocks)
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
    await registrar.secrets.check_may_reveal(id, by=person)
    check_is_for_one(body, id)
    look = await registrar.secrets.reveal(id, by=person, answer_to=url)
    text, blocks = sheet(look.values)
    if await response_urls.replace(url, text=text, blocks=blocks):
        await registrar.secrets.shown(id, look.secret, by=person)
    else:
        await registrar.secrets.lost(id, look.secret, by=person)
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
    found = await registrar.secrets.values(action["value"], by=person)
    check_is_for_one(body, found.registration.id)
    text, blocks = masked_sheet(found)
    await response_urls.replace(response_urls.url_of(body), text=text, blocks=blocks)
    await registrar.secrets.hide(found.registration.id, by=person)
    await ack()
