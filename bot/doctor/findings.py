"""The finding of a check: one line, its outcome, and advice."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial, wraps
from typing import ParamSpec

from bot.domain.catalogue import CatalogueError
from bot.settings.settings import SettingsError

P = ParamSpec("P")


class Mark(StrEnum):
    """Outcome of a check. Only a wrong one must be fixed."""

    WELL = "✔"
    DOUBT = "⚠"
    WRONG = "✖"


@dataclass(frozen=True)
class Finding:
    """One finding."""

    mark: Mark
    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        said = " ".join(filter(None, (self.mark, self.sentence, self.advice)))
        # Names in the tenant are foreign text: none may move the cursor or begin a line.
        return "".join(each if each.isprintable() else " " for each in said)


well = partial(Finding, Mark.WELL)
doubt = partial(Finding, Mark.DOUBT)
wrong = partial(Finding, Mark.WRONG)


NO_START = "The bot cannot start until this is fixed."
"""Advice on what the start checks, too."""


class Unknown(Exception):
    """A check is not possible; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.sentence)


def reported(
    look: Callable[P, AsyncIterator[Finding]],
) -> Callable[P, AsyncIterator[Finding]]:
    """Let it be a finding, too, that settings, profiles or something else cannot be used."""

    @wraps(look)
    async def looked(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Finding]:
        try:
            async for finding in look(*args, **kwargs):
                yield finding
        except Unknown as error:
            yield error.finding
        except (SettingsError, CatalogueError) as error:
            of = "Settings" if isinstance(error, SettingsError) else "Catalogue"
            for problem in error.problems:
                yield wrong(f"{of}: {problem}")

    return looked
