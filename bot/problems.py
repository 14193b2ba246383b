"""Problems that only the operator can correct: they end a command, in sentences."""


class Unusable(Exception):
    """Arguments, settings, files or services that cannot be used. Each problem is a sentence."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
