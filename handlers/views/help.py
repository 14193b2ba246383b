"""Help, and the words for what the bot does not understand."""

from handlers.views.ids import COMMAND
from handlers.views.words import escaped

SUBCOMMANDS = (
    "status", "list", "values", "check", "cancel", "retry", "undo", "history", "handover", "help"
)  # fmt: skip

HELP = f"""*Ask for an Entra application, have it approved, get its values once.*
• `{COMMAND}` opens the form; `{COMMAND} mimecast` opens it for that profile
• `{COMMAND} status` lists your registrations
• `{COMMAND} status AAD-7K3F` shows one
• `{COMMAND} list` lists what is on its way; so do `list mine`, `waiting`, `failed`, `expiring`
• `{COMMAND} values AAD-7K3F` shows its values, with the secret once
• `{COMMAND} check AAD-7K3F` compares one with the tenant
• `{COMMAND} cancel`, `retry` or `undo` with an id does what the button does
• `{COMMAND} history AAD-7K3F` tells what happened, and who did it
• `{COMMAND} handover AAD-7K3F @person` gives it to somebody else, once an approver confirms it
• `{COMMAND} help` shows this
Only you see the answer, unless you write `public` behind `status` or `list`.
In a channel, mention me with `status AAD-7K3F` or `list` and I answer in the thread.
In a direct message to me, leave out `{COMMAND}`."""


def unknown(word: str, near: str | None) -> str:
    """Return the answer to a word that is none of ours, with the nearest one that is."""
    sentence = f"I do not know “{escaped(word[:60])}”."
    if near is None:
        return f"{sentence}\n{HELP}"
    return f"{sentence} Did you mean `{COMMAND} {near}`? `{COMMAND} help` lists all commands."
