"""Mentions and direct messages.

A mention is answered in a thread that the whole channel reads: the shortest view only. Longer views
go to the person alone, and only the command changes anything. A direct message is answered like the
command, except that only a button can open a form.
"""

from dataclasses import replace
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person
from bot.registrar import Registrar
from handlers.listeners import command_parser
from handlers.listeners.command_parser import Command, NotUnderstood
from handlers.listeners.command_replies import Reply, reply
from handlers.slack.users import Users
from handlers.views import ids
from handlers.views.blocks import actions, button, context, drawn, said, section

Json = dict[str, Any]

IN_THREAD = ("status", "list", "help", command_parser.GREETING)
FOR_ONE = ("values", "history", "details")
WHY = "Only you can see this."


async def mention(
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    users: Users,
    plain: bool,
) -> None:
    """Answer `@bot status AAD-7K3F`; Slack repeats events, so each counts once."""
    event = body["event"]
    if not await registrar.deliveries.is_news(str(body.get("event_id"))):
        return
    registrar.policy.check_account(person)
    try:
        parsed = command_parser.parse(event.get("text") or "", registrar.catalogue)
    except NotUnderstood as not_understood:
        await _in_thread(client, event, str(not_understood))
        return
    if parsed.word in FOR_ONE:
        await _for_one(client, event, await reply(parsed, registrar, person, users, plain=plain))
    elif parsed.word in IN_THREAD:
        least = replace(parsed, is_public=True)
        await _in_thread(
            client, event, (await reply(least, registrar, person, users, plain=plain)).text
        )
    else:
        await _in_thread(client, event, _by_command(parsed))


async def direct_message(
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    users: Users,
    plain: bool,
) -> None:
    """Answer the words of the command, without the command."""
    event = body["event"]
    if event.get("channel_type") != "im" or not await registrar.deliveries.is_news(
        str(body.get("event_id"))
    ):
        return
    registrar.policy.check_account(person)  # before any hint on usage
    parsed = command_parser.parse(event.get("text") or "", registrar.catalogue)
    if parsed.word == command_parser.FORM:
        answer = _form_button(parsed, registrar, person)
    else:
        answer = await reply(parsed, registrar, person, users, plain=plain)
    if answer.is_fleeting:
        await _whisper(client, event, answer)
    else:
        await client.chat_postMessage(
            channel=event.get("channel", ""),
            thread_ts=event.get("thread_ts"),
            text=answer.text,
            blocks=answer.blocks or said(answer.text),
            unfurl_links=False,
            unfurl_media=False,
        )


def _by_command(parsed: Command) -> str:
    """Say which command does what a mention does not."""
    to = "@person" if parsed.word == command_parser.HANDOVER else None
    words = " ".join(filter(None, [ids.COMMAND, parsed.word, parsed.id or parsed.profile, to]))
    what = "I open the form" if parsed.word == command_parser.FORM else "I do that"
    return f"In channels I only show status. Type `{words}` and {what} for you."


def _form_button(parsed: Command, registrar: Registrar, person: Person) -> Reply:
    registrar.policy.check_may_ask(person)
    text = "Press the button and I open the form. `help` says what else I understand."
    value = parsed.profile or ids.ANY_PROFILE
    open_it = button("Open the form", ids.OPEN_FORM, value, style="primary")
    return Reply(text=text, blocks=drawn([section(text), *actions([open_it])]))


async def _in_thread(client: AsyncWebClient, event: Json, text: str) -> None:
    await client.chat_postMessage(
        channel=event.get("channel", ""),
        thread_ts=event.get("thread_ts") or event.get("ts"),
        text=text,
        blocks=said(text),
        unfurl_links=False,
        unfurl_media=False,
    )


async def _for_one(client: AsyncWebClient, event: Json, answer: Reply) -> None:
    blocks = answer.blocks or said(answer.text)
    told = Reply(text=f"{answer.text}\n{WHY}", blocks=[*blocks, *drawn([context(WHY)])])
    await _whisper(client, event, told)


async def _whisper(client: AsyncWebClient, event: Json, answer: Reply) -> None:
    # In a thread that is not there yet, an ephemeral message would not be seen.
    await client.chat_postEphemeral(
        channel=event.get("channel", ""),
        user=event.get("user", ""),
        thread_ts=event.get("thread_ts"),
        text=answer.text,
        blocks=answer.blocks or said(answer.text),
    )
