"""The model of a command, and the help: the words for users who do not know the commands."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Flag, StrEnum, auto

from bot.storage.queries import ListKind
from handlers.listeners.interaction import Interaction
from handlers.views import ui
from handlers.views.ids import ANY_PROFILE, COMMAND, MINE, OPEN_FORM
from handlers.views.ids import HELP as HELP_BUTTON


class Takes(Flag):
    """The arguments of a command."""

    NOTHING = 0
    ID = auto()
    PERSON = auto()
    LIST = auto()
    PAGE = auto()
    PROFILE = auto()


class Mention(StrEnum):
    """How a command is answered that follows a mention of the bot in a channel."""

    IN_THREAD = "in the thread"  # in the shortest form: the whole channel reads it
    WHISPERED = "whispered"  # to the user only
    REFUSED = "refused"  # with the command to type instead


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A parsed text."""

    word: str
    id: str = ""
    person: str = ""  # as Slack writes a mention
    which: ListKind = ListKind.OPEN
    page: int = 1
    profile: str | None = None
    is_public: bool = False


Answer = str | tuple[str, ui.Blocks]
"""Text, with the blocks that show it if they say more."""


@dataclass(frozen=True)
class Confirmation:
    """A question before a command is carried out: a command is typed quickly."""

    question: str
    label: str
    """On the button, whose id is `button`."""
    button: str
    warning: str
    check: Callable[[Interaction, str], Awaitable[None]]
    """Raises Refusal where there is nothing to confirm."""

    def drawn(self, id: str) -> ui.Notice:
        """Return the question with the button that answers it."""
        confirm = ui.button(
            self.label, self.button, id, about=id, style="danger", confirm=self.warning
        )
        return ui.notice(f"{self.question.format(id=id)} {self.warning}", buttons=[confirm])


@dataclass(frozen=True)
class Command:
    """A word of `/aad-setup`."""

    word: str
    takes: Takes
    answer: Callable[[Interaction, Parsed], Awaitable[Answer]]
    """Carries it out. Raises Refusal. Its docstring is the line in the help and in USAGE.md."""
    mention: Mention = Mention.REFUSED
    confirmation: Confirmation | None = None
    may_be_public: bool = False
    is_fleeting: bool = False
    """Whether Slack must not keep the answer."""
    is_hidden: bool = False
    """Whether the help leaves it out."""
    alone: str = ""
    """What the word stands for without an id."""
    aliases: tuple[str, ...] = ()
    """Other words that are understood."""
    synonyms: tuple[str, ...] = ()
    """Other words, which are answered with the name of this word."""

    @property
    def does(self) -> str:
        return " ".join((self.answer.__doc__ or "").split())

    def usage(self, id: str = "AAD-7K3F") -> str:
        """Return the word with its required arguments."""
        takes_id = Takes.ID in self.takes and not self.alone
        person = "@person" if Takes.PERSON in self.takes else ""
        return " ".join(filter(None, (self.word, id if takes_id else "", person)))


def help_text(commands: Iterable[Command]) -> str:
    """Return the help: a line for each command, and where else they work."""
    shown = [each for each in commands if not each.is_hidden]
    public = joined((each.word for each in shown if each.may_be_public), "or")
    in_thread = joined(each.word for each in shown if each.mention is Mention.IN_THREAD)
    whispered = joined(each.word for each in shown if each.mention is Mention.WHISPERED)
    return "\n".join(
        [
            "*Ask for an Entra application, have it approved, get its values once.*",
            *(f"• {help_row(each)[0]}: {help_row(each)[1]}" for each in shown),
            f"Only you see the answer, unless you write `public` behind {public}.",
            f"In a channel that I am in, mention me: {in_thread} are answered in the thread,"
            f" {whispered} to you alone.",
            f"In a direct message to me, leave out `{COMMAND}`.",
        ]
    )


def help_row(command: Command) -> tuple[str, str]:
    """Return a command as it is typed, with its required arguments, and what it does."""
    does = command.does.removesuffix(".")
    return f"`{COMMAND} {command.usage()}".rstrip() + "`", does[0].lower() + does[1:]


def help_in_thread(commands: Iterable[Command]) -> str:
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


def greeting(*, may_ask: bool) -> tuple[str, ui.Blocks]:
    """Return the answer to a greeting, with buttons for the first steps."""
    text = f"Hi! I register Entra apps for vendors. `{COMMAND} help` lists all commands."
    new = ui.button("New application", OPEN_FORM, ANY_PROFILE, style="primary")
    buttons = [ui.button("My registrations", MINE, "mine"), ui.button("Help", HELP_BUTTON, "help")]
    return ui.notice(text, spoken=text, buttons=[new, *buttons] if may_ask else buttons)


def form_button(profile: str | None) -> tuple[str, ui.Blocks]:
    """Return the answer that opens the form, to a text that cannot open it."""
    text = "Press the button and I open the form. `help` says what else I understand."
    open_it = ui.button("Open the form", OPEN_FORM, profile or ANY_PROFILE, style="primary")
    return ui.notice(text, spoken=text, buttons=[open_it])
