"""The model of a command: what users type, and an entry of the table of commands."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Flag, StrEnum, auto

from bot.storage.queries import ListKind
from handlers.listeners.interaction import Interaction
from handlers.views.blocks import Blocks


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


Answer = str | tuple[str, Blocks]
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
