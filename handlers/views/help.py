"""Help, lists, and the words for what the bot does not understand."""

from collections.abc import Sequence
from difflib import get_close_matches

from bot.registration import Registration
from handlers.views.card import headline
from handlers.views.ids import COMMAND
from handlers.views.words import escaped, when

SUBCOMMANDS = ("status", "check", "help")

HELP = f"""*Ask for an Entra application, have it approved, get its values once.*
• `{COMMAND}` opens the form
• `{COMMAND} status` lists your registrations
• `{COMMAND} status AAD-7K3F` shows one
• `{COMMAND} check AAD-7K3F` compares one with the tenant
• `{COMMAND} help` shows this
In a channel, mention me with `status AAD-7K3F` and I answer in the thread."""


def unknown(word: str) -> str:
    """Return the answer to a word that is no subcommand, with the nearest one that is."""
    near = get_close_matches(word.lower(), SUBCOMMANDS, n=1)
    meant = f" Did you mean `{COMMAND} {near[0]}`?" if near else ""
    return f"I do not know “{escaped(word[:60])}”.{meant}\n{HELP}"


def listing(registrations: Sequence[Registration]) -> str:
    """Return the person's registrations, a line each."""
    if not registrations:
        return f"You have no registrations yet. `{COMMAND}` opens the form."
    lines = [
        f"• *{headline(each)}* · {escaped(each.form.name)} · {when(each.created_at)}"
        for each in registrations
    ]
    return "\n".join(["*Your latest registrations*", *lines])
