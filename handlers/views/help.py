"""Help, and the first steps for users who do not know the commands."""

from collections.abc import Iterable

from handlers.listeners.command import Command, Mention
from handlers.views.blocks import Blocks, actions, button, drawn, section
from handlers.views.ids import ANY_PROFILE, COMMAND, MINE, OPEN_FORM
from handlers.views.ids import HELP as HELP_BUTTON


def text(commands: Iterable[Command]) -> str:
    """Return the help: a line for each command, and where else they work."""
    shown = [each for each in commands if not each.is_hidden]
    public = joined((each.word for each in shown if each.may_be_public), "or")
    in_thread = joined(each.word for each in shown if each.mention is Mention.IN_THREAD)
    whispered = joined(each.word for each in shown if each.mention is Mention.WHISPERED)
    return "\n".join(
        [
            "*Ask for an Entra application, have it approved, get its values once.*",
            *(f"• {row(each)[0]}: {row(each)[1]}" for each in shown),
            f"Only you see the answer, unless you write `public` behind {public}.",
            f"In a channel that I am in, mention me: {in_thread} are answered in the thread,"
            f" {whispered} to you alone.",
            f"In a direct message to me, leave out `{COMMAND}`.",
        ]
    )


def row(command: Command) -> tuple[str, str]:
    """Return a command as it is typed, with its required arguments, and what it does."""
    does = command.does.removesuffix(".")
    return f"`{COMMAND} {command.usage()}".rstrip() + "`", does[0].lower() + does[1:]


def in_thread(commands: Iterable[Command]) -> str:
    """Return the help where a whole channel reads it."""
    whispered = joined(each.usage() for each in commands if each.mention is Mention.WHISPERED)
    return (
        "In channels I show status: `status AAD-7K3F` and `list` are answered in the thread,"
        f" {whispered} to you alone.\n"
        f"`{COMMAND} help` lists all commands, and only you see that answer."
    )


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return words as code, as a list in a sentence."""
    *rest, end = (f"`{each}`" for each in words)
    return f"{', '.join(rest)} {last} {end}" if rest else end


def greeting(*, may_ask: bool) -> tuple[str, Blocks]:
    """Return the answer to a greeting, with buttons for the first steps."""
    text = f"Hi! I register Entra apps for vendors. `{COMMAND} help` lists all commands."
    new = button("New application", OPEN_FORM, ANY_PROFILE, style="primary")
    buttons = [button("My registrations", MINE, "mine"), button("Help", HELP_BUTTON, "help")]
    return text, drawn([section(text), *actions([new, *buttons] if may_ask else buttons)])


def form_button(profile: str | None) -> tuple[str, Blocks]:
    """Return the answer that opens the form, to a text that cannot open it."""
    text = "Press the button and I open the form. `help` says what else I understand."
    open_it = button("Open the form", OPEN_FORM, profile or ANY_PROFILE, style="primary")
    return text, drawn([section(text), *actions([open_it])])
