"""The finding of a check: one line, its outcome, and advice."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial


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


class Unknown(Exception):
    """A check is not possible; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.sentence)
