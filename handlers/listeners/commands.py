"""`/aad-setup …`: replies in the ack, which works where the bot is not a member."""

from handlers.listeners.command import Parsed
from handlers.listeners.command_parser import parse
from handlers.listeners.command_table import reply
from handlers.listeners.interaction import Interaction, Json


async def command(it: Interaction) -> Json | None:
    """Answer with an ephemeral message, unless the last word is `public`."""
    parsed = read(it, it.body.get("text"))
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


def read(it: Interaction, text: object) -> Parsed:
    """Parse a text of a user who may use the bot. Raises Refusal."""
    it.registrar.policy.check_account(it.person)  # before any hint on usage
    return parse(str(text or ""), it.registrar.catalogue)
