"""The finding of a check: one line, its outcome, and advice."""

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """Outcome of a check. Only a wrong one must be fixed."""

    WELL = "✔"
    DOUBT = "⚠"
    WRONG = "✖"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding."""

    mark: Mark
    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        said = " ".join(filter(None, (self.mark, self.sentence, self.advice)))
        # Names in the tenant are foreign text: none may move the cursor or begin a line.
        return "".join(each if each.isprintable() else " " for each in said)


def well(sentence: str) -> Finding:
    return Finding(mark=Mark.WELL, sentence=sentence)


def doubt(sentence: str, advice: str = "") -> Finding:
    return Finding(mark=Mark.DOUBT, sentence=sentence, advice=advice)


def wrong(sentence: str, advice: str = "") -> Finding:
    return Finding(mark=Mark.WRONG, sentence=sentence, advice=advice)


class Unknown(Exception):
    """It cannot be found out; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.sentence)
