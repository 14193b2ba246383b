"""Commands, mentions and direct messages, and the App Home that is opened.

A command is answered in the ack, which works where the bot is not a member. A mention is answered
in a thread that the whole channel reads: the shortest view only. Longer views go to the user alone,
and only the command changes anything. A direct message is answered like the command, except that
only a button can open a form.
"""

from dataclasses import replace

from handlers.listeners.command import Mention, Parsed, Takes
from handlers.listeners.command_parser import NotUnderstood, parse
from handlers.listeners.command_table import COMMANDS, FORM, reply
from handlers.listeners.interaction import Interaction, Json
from handlers.views import home, ids
from handlers.views.ui import context, drawn

WHY = "Only you can see this."


async def command(it: Interaction) -> Json | None:
    """Answer with an ephemeral message, unless the last word is `public`."""
    parsed = _read(it, it.body.get("text"))
    text, blocks = await reply(it, parsed)
    if not text:  # the form was opened
        return None
    return {
        "text": text,
        "blocks": blocks,
        "response_type": "in_channel" if parsed.is_public else "ephemeral",
        "unfurl_links": False,
        "unfurl_media": False,
    }


async def mention(it: Interaction) -> None:
    """Answer `@bot status AAD-7K3F`."""
    event = it.body["event"]
    if not await _is_news(it):
        return
    try:
        parsed = _read(it, event.get("text"))
    except NotUnderstood as not_understood:
        await it.post(event, str(not_understood), thread=event.get("ts"))
        return
    match COMMANDS[parsed.word].mention:
        case Mention.WHISPERED:
            text, blocks = await reply(it, parsed)
            await it.post_ephemeral(event, f"{text}\n{WHY}", [*blocks, *drawn([context(WHY)])])
        case Mention.IN_THREAD:
            text, _ = await reply(it, replace(parsed, is_public=True))
            await it.post(event, text, thread=event.get("ts"))
        case Mention.REFUSED:
            await it.post(event, _by_command(parsed), thread=event.get("ts"))


async def direct_message(it: Interaction) -> None:
    """Answer the words of the command, without the command."""
    event = it.body["event"]
    if event.get("channel_type") != "im" or not await _is_news(it):
        return
    parsed = _read(it, event.get("text"))
    text, blocks = await reply(it, parsed)
    if COMMANDS[parsed.word].is_fleeting:
        await it.post_ephemeral(event, text, blocks)
    else:
        await it.post(event, text, blocks)


async def home_opened(it: Interaction) -> None:
    """Publish the Home of the user who opens it; the first visit is greeted."""
    event = it.body["event"]
    if event.get("tab") == "home":  # the same event tells of the Messages tab
        said = "" if event.get("view") else home.GREETING
        await it.home_publisher.open(it.body, it.person.user_id, said=said)


def _read(it: Interaction, text: object) -> Parsed:
    """Parse a text of a user who may use the bot. Raises Refusal."""
    it.registrar.policy.check_account(it.person)  # before any hint on usage
    return parse(str(text or ""), it.registrar.catalogue)


async def _is_news(it: Interaction) -> bool:
    """Whether this event is handled for the first time: Slack repeats events."""
    return await it.registrar.deliveries.is_news(str(it.body.get("event_id")))


def _by_command(parsed: Parsed) -> str:
    """Say which command does what a mention does not."""
    to = "@person" if Takes.PERSON in COMMANDS[parsed.word].takes else None
    words = " ".join(filter(None, [ids.COMMAND, parsed.word, parsed.id or parsed.profile, to]))
    what = "I open the form" if parsed.word == FORM else "I do that"
    return f"In channels I only show status. Type `{words}` and {what} for you."


EVENTS = {
    "app_mention": mention,
    "message": direct_message,
    "app_home_opened": home_opened,
}
