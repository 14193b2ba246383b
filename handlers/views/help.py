"""Help, and the words for what the bot does not understand."""

from handlers.views.blocks import escaped
from handlers.views.ids import COMMAND

SUBCOMMANDS = (
    "preview", "status", "details", "list", "values", "check", "rotate", "retire", "cancel",
    "retry", "undo", "revoke", "purge", "history", "handover", "help",
)  # fmt: skip

HELP = f"""*Ask for an Entra application, have it approved, get its values once.*
• `{COMMAND}` opens the form; `{COMMAND} mimecast` opens it for that profile
• `{COMMAND} preview` opens it, too: *Preview* there shows the plan to you alone and asks nobody
• `{COMMAND} status` lists your registrations; `{COMMAND} status AAD-7K3F` shows one
• `{COMMAND} list` lists what is on its way in the team; `list mine`, `list waiting`, \
`list ready`, `list failed` and `list expiring` narrow it down; `list all` lists everything, \
`list all 2` its second page
• `{COMMAND} values AAD-7K3F` shows its values, with the secret once
• `{COMMAND} check AAD-7K3F` compares one that is ready with what was approved
• `{COMMAND} rotate AAD-7K3F` asks for a new secret beside the one in use, before that one ends
• `{COMMAND} retire AAD-7K3F` removes the secret before the new one at once, not after 7 days
• `{COMMAND} cancel AAD-7K3F` takes back what waits for approval, a rotation, too
• `{COMMAND} retry AAD-7K3F` goes on with one that failed; `undo AAD-7K3F` removes what it has made
• `{COMMAND} revoke AAD-7K3F` takes back one that is ready: its connector can sign in no more
• `{COMMAND} purge AAD-7K3F` deletes for good what was undone or revoked, for approvers
• `{COMMAND} history AAD-7K3F` tells what happened, and who did it
• `{COMMAND} handover AAD-7K3F @person` gives it to somebody else, once an approver confirms it
• `{COMMAND} help` shows this
Only you see the answer, unless you write `public` behind `status` or `list`.
In a channel that I am in, mention me: `status AAD-7K3F` and `list` are answered in the thread, \
`details` (all that `status` says here), `history` and `values` to you alone.
In a direct message to me, leave out `{COMMAND}`."""

IN_THREAD = f"""In channels I show status: `status AAD-7K3F` and `list` are answered in the \
thread, `details AAD-7K3F`, `history AAD-7K3F` and `values AAD-7K3F` to you alone.
`{COMMAND} help` lists all that I understand, and only you see that answer."""
"""Help where a whole channel reads it."""

BY_BUTTON = (
    "Who decides does so by a button, below what they decide on: in the approval channel, or in"
    f" this bot's Home tab. `{COMMAND} list waiting` lists what waits."
)


def unknown(word: str, near: str | None) -> str:
    """Return the answer to a word that is none of ours, with the nearest one that is."""
    meant = f" Did you mean `{COMMAND} {near}`?" if near else ""
    return f"I do not know “{escaped(word[:60])}”.{meant} `{COMMAND} help` lists all commands."
