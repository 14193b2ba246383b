"""Help, and the words for what the bot does not understand."""

from handlers.views.blocks import Blocks, actions, button, drawn, escaped, section
from handlers.views.ids import ANY_PROFILE, COMMAND, MINE, OPEN_FORM
from handlers.views.ids import HELP as HELP_BUTTON

SUBCOMMANDS = (
    "preview", "status", "details", "list", "values", "check", "rotate", "retire", "cancel",
    "retry", "undo", "revoke", "purge", "history", "handover", "help",
)  # fmt: skip

HELP = f"""*Ask for an Entra application, have it approved, get its values once.*
• `{COMMAND}` opens the form; `{COMMAND} mimecast` opens it for that profile
• `{COMMAND} preview` opens it, too: *Preview* there shows the plan to you alone and asks no one
• `{COMMAND} status` lists your registrations; `{COMMAND} status AAD-7K3F` shows one
• `{COMMAND} list` lists what is in progress in the team; `list mine`, `list waiting`, \
`list ready`, `list failed` and `list expiring` narrow it down; `list all` lists everything, \
`list all 2` its second page
• `{COMMAND} values AAD-7K3F` shows its values, with the secret once
• `{COMMAND} check AAD-7K3F` compares one that is ready with what was approved
• `{COMMAND} rotate AAD-7K3F` asks for a new secret beside the one in use, before that one expires
• `{COMMAND} retire AAD-7K3F` deletes the old secret now, not after 7 days
• `{COMMAND} cancel AAD-7K3F` cancels what waits for approval, also a rotation, handover or purge
• `{COMMAND} retry AAD-7K3F` retries a failed one; `undo AAD-7K3F` removes what it created
• `{COMMAND} revoke AAD-7K3F` deletes a ready one from Entra: its connector can no longer sign in
• `{COMMAND} purge AAD-7K3F` asks other approvers to delete for good what was undone or revoked
• `{COMMAND} history AAD-7K3F` shows what happened, and who did it
• `{COMMAND} handover AAD-7K3F @person` gives it to someone else, once an approver confirms it
• `{COMMAND} help` shows this
Only you see the answer, unless you write `public` behind `status` or `list`.
In a channel that I am in, mention me: `status AAD-7K3F` and `list` are answered in the thread, \
`details` (all that `status` says here), `history` and `values` to you alone.
In a direct message to me, leave out `{COMMAND}`."""

IN_THREAD = f"""In channels I show status: `status AAD-7K3F` and `list` are answered in the \
thread, `details AAD-7K3F`, `history AAD-7K3F` and `values AAD-7K3F` to you alone.
`{COMMAND} help` lists all commands, and only you see that answer."""
"""Help where a whole channel reads it."""

BY_BUTTON = (
    "Use the *Approve* and *Deny* buttons on the card, in the approval channel or in my Home tab."
    f" `{COMMAND} list waiting` lists the requests that wait."
)


def greeting(*, may_ask: bool) -> tuple[str, Blocks]:
    """Return the answer to a greeting, with buttons for the first steps."""
    text = f"Hi! I register Entra apps for vendors. `{COMMAND} help` lists all commands."
    new = button("New application", OPEN_FORM, ANY_PROFILE, style="primary")
    buttons = [button("My registrations", MINE, "mine"), button("Help", HELP_BUTTON, "help")]
    return text, drawn([section(text), *actions([new, *buttons] if may_ask else buttons)])


def unknown(word: str, near: str | None) -> str:
    """Return the answer to a word that is none of ours, with the nearest one that is."""
    meant = f" Did you mean `{COMMAND} {near}`?" if near else ""
    return f"I don't know “{escaped(word[:60])}”.{meant} `{COMMAND} help` lists all commands."
