"""`/aad-setup …`, the form that it opens, and confirmations.

Reply in the ack, which works where the bot is not a member.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person
from bot.registrar import Registrar
from handlers.listeners import command_parser
from handlers.listeners.command_replies import reply
from handlers.slack.response_url import ResponseUrls, trigger_of
from handlers.slack.users import Users
from handlers.views import form
from handlers.views.blocks import said

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]


async def command(
    ack: Ack,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    users: Users,
    plain: bool,
) -> None:
    """Answer, for the person alone unless the last word is `public`."""
    registrar.policy.check_account(person)  # before any hint on usage
    text = str(body.get("text") or "")
    parsed = command_parser.parse(text, registrar.catalogue)
    if parsed.word == command_parser.FORM:
        await open_form(client, body, parsed.profile, registrar, person)
        await ack()
        return
    if parsed.word == command_parser.HANDOVER and parsed.id is not None:
        to = await users.mentioned(command_parser.mentioned(text))
        await registrar.requests.handover(parsed.id, to=to, by=person)
        await ack(text="An approver has to confirm this: the approval channel was asked.")
        return
    answer = await reply(parsed, registrar, person, users, plain=plain)
    await ack(
        text=answer.text,
        blocks=answer.blocks or said(answer.text),
        response_type="in_channel" if parsed.is_public else "ephemeral",
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
    registrar.policy.check_may_ask(person)
    profile, filled = form.read_filled_value(str(action.get("value")), registrar.catalogue)
    chosen = registrar.submission.profile(profile or next(iter(registrar.catalogue)))
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
    registrar.policy.check_may_ask(person)
    chosen = registrar.submission.profile(profile or next(iter(registrar.catalogue)))
    view = form.form(registrar.catalogue, chosen)
    await client.views_open(trigger_id=trigger_of(body), view=view)


def confirmed(verb: Callable[..., Awaitable[object]], what: str) -> Callable[..., Awaitable[None]]:
    """Return a listener that carries out a confirmed command.

    Its answer replaces the question.
    """

    async def confirm(
        ack: Ack,
        action: Json,
        body: Json,
        person: Person,
        response_urls: ResponseUrls,
    ) -> None:
        id, url = action["value"], response_urls.url_of(body)
        await verb(id, by=person)
        text = f"{what.format(id=id)}. Its card says when that is done."
        await response_urls.replace(url, text=text, blocks=[])
        await ack()

    return confirm
