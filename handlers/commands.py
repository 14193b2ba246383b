"""`/aad-setup …`: the form, the status of a registration, a check of it, help."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.registrar import Registrar
from bot.registration import Person
from handlers.people import People
from handlers.views import card, drift, form, help, ids

Ack = Callable[..., Awaitable[Any]]


async def command(
    ack: Ack,
    body: dict[str, Any],
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    people: People,
) -> None:
    """Answer by the first word. The answer rides on the acknowledgement, for the person alone."""
    words = str(body.get("text") or "").split()
    match [word.lower() for word in words]:
        case []:
            await open_form(ack, body, client, registrar, person)
        case ["help"]:
            await ack(text=help.HELP)
        case ["status"]:
            await ack(text=help.listing(await registrar.mine(person)))
        case ["status", _]:
            await status(ack, words[1], registrar, person)
        case ["check", _]:
            await registrar.check(words[1], by=person)
            await ack(text=drift.asked(words[1]))
        case ["handover", _, _]:
            to = await people.mentioned(words[2])
            await registrar.hand_over(words[1].upper(), to=to, by=person)
            await ack(text="An approver has to confirm this: the approval channel was asked.")
        case ["handover", *_]:
            await ack(text=f"Say what and to whom: `{ids.COMMAND} handover AAD-7K3F @person`.")
        case ["check", *_]:
            await ack(text=f"Name one registration, like `{ids.COMMAND} check AAD-7K3F`.")
        case ["status", *_]:
            await ack(text=f"Name one registration, or none.\n{help.HELP}")
        case _:
            await ack(text=help.unknown(words[0]))


async def open_form(
    ack: Ack,
    body: dict[str, Any],
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    registrar.check_may_ask(person)
    catalogue = registrar.catalogue
    first = next(iter(catalogue.values()))
    await client.views_open(trigger_id=body["trigger_id"], view=form.form(catalogue, first))
    await ack()


async def status(ack: Ack, id: str, registrar: Registrar, person: Person) -> None:
    found = await registrar.status(id, by=person)
    profile = registrar.catalogue[found.form.profile]
    blocks = card.status(found, profile, quorum=registrar.quorum(found))
    await ack(text=card.headline(found), blocks=blocks)
