"""`/aad-setup …`, the form that it opens, and what has to be confirmed.

The answer rides on the acknowledgement: it reaches people also where the bot is no member.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.registrar import Registrar
from bot.registration import Person
from handlers import asked
from handlers.answers import Answers, trigger_of
from handlers.people import People
from handlers.replies import reply
from handlers.views import form
from handlers.views.words import said

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]


async def command(
    ack: Ack,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    people: People,
    plain: bool,
) -> None:
    """Answer, for the person alone unless the last word is `public`."""
    text = str(body.get("text") or "")
    wish = asked.read(text, registrar.catalogue)
    if wish.word == asked.FORM:
        await open_form(client, body, wish.profile, registrar, person)
        await ack()
        return
    if wish.word == asked.HANDOVER and wish.id is not None:
        to = await people.mentioned(asked.mentioned(text))
        await registrar.hand_over(wish.id, to=to, by=person)
        await ack(text="An approver has to confirm this: the approval channel was asked.")
        return
    answer = await reply(wish, registrar, person, people, plain=plain)
    await ack(
        text=answer.text,
        blocks=answer.blocks or said(answer.text),
        response_type="in_channel" if wish.is_public else "ephemeral",
        unfurl_links=False,
        unfurl_media=False,
    )


async def form_button(
    ack: Ack,
    action: Json,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    """Open the form where no command was typed: in direct messages and in the App Home."""
    registrar.check_may_ask(person)
    profile, filled = form.read_filled_value(str(action.get("value")), registrar.catalogue)
    chosen = registrar.profile(profile or next(iter(registrar.catalogue)))
    view = form.form(registrar.catalogue, chosen, filled)
    await client.views_open(trigger_id=trigger_of(body), view=view)
    await ack()


async def open_form(
    client: AsyncWebClient,
    body: Json,
    profile: str | None,
    registrar: Registrar,
    person: Person,
) -> None:
    """Open the form for a profile, or for the first one. Raises Refusal."""
    registrar.check_may_ask(person)
    chosen = registrar.profile(profile or next(iter(registrar.catalogue)))
    await client.views_open(
        trigger_id=trigger_of(body), view=form.form(registrar.catalogue, chosen)
    )


async def confirm_undo(
    ack: Ack, action: Json, body: Json, registrar: Registrar, person: Person, answers: Answers
) -> None:
    """Undo what was asked for by a word, now that it is confirmed."""
    id, url = action["value"], answers.url_of(body)
    await registrar.undo(id, by=person)
    await _confirmed(ack, answers, url, f"{id} is being undone")


async def confirm_retire(
    ack: Ack, action: Json, body: Json, registrar: Registrar, person: Person, answers: Answers
) -> None:
    """Remove the previous secret as was asked for by a word, now that it is confirmed."""
    id, url = action["value"], answers.url_of(body)
    await registrar.retire(id, by=person)
    await _confirmed(ack, answers, url, f"The previous secret of {id} is being removed")


async def confirm_revoke(
    ack: Ack, action: Json, body: Json, registrar: Registrar, person: Person, answers: Answers
) -> None:
    """Revoke what was asked for by a word, now that it is confirmed."""
    id, url = action["value"], answers.url_of(body)
    await registrar.revoke(id, by=person)
    await _confirmed(ack, answers, url, f"{id} is being revoked")


async def confirm_purge(
    ack: Ack, action: Json, body: Json, registrar: Registrar, person: Person, answers: Answers
) -> None:
    """Delete for good what was asked for by a word, now that it is confirmed."""
    id, url = action["value"], answers.url_of(body)
    await registrar.purge(id, by=person)
    await _confirmed(ack, answers, url, f"{id} is being deleted for good")


async def _confirmed(ack: Ack, answers: Answers, url: str, what: str) -> None:
    """Say what is happening in the place of the question, which is answered."""
    await answers.replace(url, text=f"{what}. Its card says when that is done.", blocks=[])
    await ack()
